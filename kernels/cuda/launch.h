// Launches every kernel: a checked, typed wrapper of cudaLaunchKernelEx with a profiler range. Only shared.h, async_copy.h and
// mma.h use inline PTX or storage classes; the CPU test shim (tools/simt) has its own copies of these three and of
// <cuda_runtime.h>.
#pragma once
#include <cuda_runtime.h>

#include <string>
#include <type_traits>

#include "base/error.h"
#include "kernels/execution.h"
#include "kernels/place.h"

namespace gannet::kernels::cuda {

// The runtime's current GPU of this thread; select_gpu sets it. A launch to a stream of another GPU fails.
inline thread_local int current_gpu = 0;
inline cudaError_t select_gpu(int index) {
    if (index == current_gpu) return cudaSuccess;
    const cudaError_t error = cudaSetDevice(index);
    if (error == cudaSuccess) current_gpu = index;
    return error;
}

inline cudaStream_t stream_of(Stream stream) { return static_cast<cudaStream_t>(stream->stream); }

// A grid of blocks. `shared` is dynamic_bytes<T>() for the type T that the kernel passes to shared<T>() (shared.h).
struct Grid {
    dim3 blocks, threads;
    std::size_t shared = 0;
};

inline std::string text(dim3 d) { return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z); }

// Throws an Error that names the kernel, its launch and the layer.
[[noreturn]] inline void throw_launch_error(const char* kernel, const Grid& grid, cudaError_t error) {
    cudaGetLastError();
    throw Error(std::string("CUDA: ") + cudaGetErrorString(error),
                std::string(kernel) + " <<<" + text(grid.blocks) + ", " + text(grid.threads) + ", " +
                    std::to_string(grid.shared) + " bytes>>>" + (current_place ? " of " + current_place_name() : ""),
                "an earlier kernel may be the cause: run again with CUDA_LAUNCH_BLOCKING=1 and --set cuda.graph=false");
}

// For the log of tools/simt: the kernel, the layer, and the extents of arguments with extents_text().
#ifdef GANNET_SIMT
template <class... P>
void describe(const char* name, const P&... arguments) {
    if (!simt::logs()) return;
    std::string text = std::string(name) + "\t" + current_place_name() + "\t";
    [[maybe_unused]] const auto add = [&](const auto& argument) {
        if constexpr (requires { argument.extents_text(); }) text += argument.extents_text();
    };
    (add(arguments), ...);
    simt::describe_launch(std::move(text));
}
#else
template <class... P>
void describe(const char*, const P&...) {}
#endif

template <class... P>
cudaError_t try_launch(const char* name, void (*kernel)(P...), const Grid& grid, Stream stream,
                       std::type_identity_t<P>... arguments) {
    const Range range(name);
    if (const cudaError_t error = select_gpu(stream->gpu)) return error;
    if (grid.shared > 48 * 1024) {
        const auto attribute = cudaFuncAttributeMaxDynamicSharedMemorySize;
        if (const cudaError_t error = cudaFuncSetAttribute(kernel, attribute, int(grid.shared))) return error;
    }
    describe(name, arguments...);
    cudaLaunchConfig_t config = {};
    config.gridDim = grid.blocks;
    config.blockDim = grid.threads;
    config.dynamicSmemBytes = grid.shared;
    config.stream = stream_of(stream);
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// launch("matmul", matmul_kernel<...>, {blocks, threads, shared}, stream, arguments...): arguments convert to the parameters.
template <class... P>
void launch(const char* name, void (*kernel)(P...), const Grid& grid, Stream stream, std::type_identity_t<P>... arguments) {
    if (const cudaError_t error = try_launch(name, kernel, grid, stream, arguments...)) throw_launch_error(name, grid, error);
}

// For __launch_bounds__(threads, min_blocks(threads, registers)), which limits the registers of a kernel: the number of blocks
// that share the 65536 registers of a multiprocessor if no thread has more than `registers`. tools/ptxas.py checks the limit.
constexpr int min_blocks(int threads, int registers) { return 65536 / registers / threads; }

inline int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

}  // namespace gannet::kernels::cuda
