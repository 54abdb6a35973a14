// The CPU test shim's <cuda_runtime.h>: CUDA C++ for g++. See README.md.
#pragma once

#include <functional>
#include <string>
#include <tuple>
#include <utility>

// Keywords. __shared__ is not defined: kernels get shared memory through kernels/cuda/shared.h.
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__

#include "cuda_runtime_api.h"
#include "device_functions.h"
#include "vector_types.h"

namespace simt {
// Checks the launch and runs it, or records it if the stream is being captured. `kernel` only identifies the kernel.
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body);
// Whether calls are logged, and a function that sets the log text of the next launch.
bool logs();
void describe_launch(std::string text);
}  // namespace simt

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
    static_assert((std::is_trivially_copyable_v<P> && ...), "kernel parameters are copied as bytes");
    static_assert((sizeof(P) + ... + 0) <= 4096, "kernel parameters are limited to 4 KiB");
    return simt::launch(*config, reinterpret_cast<const void*>(kernel),
                        [kernel, values = std::tuple<P...>(std::forward<A>(arguments)...)] { std::apply(kernel, values); });
}

template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
    return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class... P>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(P...)) {
    return cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}
template <class... P>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*kernel)(P...), int threads, std::size_t shared) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel), threads, shared);
}
template <class T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}
template <class T>
cudaError_t cudaMallocHost(T** memory, std::size_t bytes, unsigned flags = 0) {
    return cudaHostAlloc(reinterpret_cast<void**>(memory), bytes, flags);
}
