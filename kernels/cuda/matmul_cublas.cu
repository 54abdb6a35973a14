// Matrix products by cuBLAS, with its classic API, one handle, one workspace and one stream. Bound as in matmul.cu. On an H100
// SXM, cuBLAS reaches about 90 % of the fp32 peak and 75 % of the dense TF32 peak on large shapes.
#include "kernels/kernels.h"

#include "kernels/cuda/matmul_cublas.h"

#ifdef GANNET_CUBLAS
#include <cublas_v2.h>
#include <dlfcn.h>

#include <climits>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/scratch.h"
#include "kernels/cuda/tile_finish.h"
#endif

namespace gannet::kernels::cuda {
#ifdef GANNET_CUBLAS
namespace {

// NVIDIA's recommendation for sm_90; more than enough for older GPUs.
constexpr std::size_t workspace_bytes = std::size_t(32) << 20;

// The library is loaded at the first matrix product that uses it: it has some 100 MB, which programs on the CPU do not need.
struct Library {
    decltype(&cublasCreate) create = nullptr;
    decltype(&cublasSetAtomicsMode) set_atomics_mode = nullptr;
    decltype(&cublasSetStream) set_stream = nullptr;
    decltype(&cublasSetWorkspace) set_workspace = nullptr;
    cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*, const void*,
                           cudaDataType, int, const void*, cudaDataType, int, const void*, void*, cudaDataType, int,
                           cublasComputeType_t, cublasGemmAlgo_t) = nullptr;
    decltype(&cublasGetStatusString) status_string = nullptr;
    std::string missing;  // the reason if it cannot be used

    Library() {
        const std::string name = "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR);
        void* file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!file) {
            missing = name + " is not found";
            return;
        }
        find(file, create, "cublasCreate_v2");
        find(file, set_atomics_mode, "cublasSetAtomicsMode");
        find(file, set_stream, "cublasSetStream_v2");
        find(file, set_workspace, "cublasSetWorkspace_v2");
        find(file, gemm, "cublasGemmEx");
        find(file, status_string, "cublasGetStatusString");
    }

private:
    template <class F>
    void find(void* file, F& function, const char* name) {
        function = reinterpret_cast<F>(dlsym(file, name));
        if (!function) missing = std::string("libcublas has no ") + name;
    }
};

const Library& library() {
    static const Library instance;
    return instance;
}

void check(cublasStatus_t status, const char* call) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error(std::string("cuBLAS: ") + library().status_string(status),
                std::string(call) + (current_place ? " of " + current_place_name() : ""), "--set cuda.matmul=own does without");
}

// The handle and workspace of a GPU for its stream. Never destroyed.
struct Handle {
    cublasHandle_t handle = nullptr;
    void* workspace = nullptr;
};

cublasHandle_t handle_for(Stream stream) {
    if (!*stream->cublas) *stream->cublas = std::make_shared<Handle>();
    auto& [handle, workspace] = *static_cast<Handle*>(stream->cublas->get());
    if (handle) return handle;
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    cudaStreamIsCapturing(stream_of(stream), &capture);
    if (capture != cudaStreamCaptureStatusNone)
        throw Error("cuBLAS is first used inside of a graph capture", current_place_name(), "run one step before the capture");
    if (!workspace && cudaMalloc(&workspace, workspace_bytes) != cudaSuccess) {
        cudaGetLastError();
        throw Error("out of device memory: 32 MiB asked as a workspace of cuBLAS", current_place_name(),
                    "lower `batch`, or --set cuda.matmul=own");
    }
    cublasHandle_t made = nullptr;
    check(library().create(&made), "cublasCreate");
    check(library().set_atomics_mode(made, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
    check(library().set_stream(made, stream_of(stream)), "cublasSetStream");
    check(library().set_workspace(made, workspace, workspace_bytes), "cublasSetWorkspace");  // setting the stream resets it
    return handle = made;
}

cublasComputeType_t compute_type(Precision precision, int capability) {
    if (capability < 80 || precision == Precision::fp32) return CUBLAS_COMPUTE_32F;
    return precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_FAST_16BF;
}

// cuBLAS is column-major, so it reads each matrix as its transpose: c' = op(b)' op(a)'.
void plain_product(float* c, const float* a, const float* b, const MatmulShape& s, Precision precision, Stream stream) {
    const Range range("matmul_cublas");
    if (select_gpu(stream->gpu) != cudaSuccess) throw Error("CUDA: the GPU cannot be selected", "matmul");
    const float one = 1, zero = 0;
    const int M = int(s.M), N = int(s.N), K = int(s.K);
    check(library().gemm(handle_for(stream), s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                         N, M, K, &one, b, CUDA_R_32F, s.transpose_b ? K : N, a, CUDA_R_32F, s.transpose_a ? M : K, &zero, c,
                         CUDA_R_32F, N, compute_type(precision, stream->capability), CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx");
}

}  // namespace
#endif

template <class T>
bool matmul_cublas([[maybe_unused]] T* c, [[maybe_unused]] real* moments, [[maybe_unused]] const T* a,
                   [[maybe_unused]] const T* b, [[maybe_unused]] const T* bias, [[maybe_unused]] const MatmulShape& s,
                   [[maybe_unused]] int64_t channels, [[maybe_unused]] Activation act, [[maybe_unused]] MatmulChoice choice,
                   [[maybe_unused]] Precision precision, [[maybe_unused]] Stream stream) {
#ifdef GANNET_CUBLAS
    if constexpr (sizeof(T) == 4) {
        if (choice == MatmulChoice::own || s.M <= 0 || s.N <= 0 || s.K <= 0) return false;
        if (s.M > INT_MAX || s.N > INT_MAX || s.K > INT_MAX) return false;
        const bool plain = !bias && !moments && act.kind == ActivationKind::none;
        if (choice == MatmulChoice::automatic && !cublas_is_faster(s, plain, precision, stream->capability)) return false;
        if (!library().missing.empty()) {
            if (choice == MatmulChoice::automatic) return false;
            throw Error("cuBLAS: " + library().missing, "cuda.matmul", "install the CUDA libraries, or --set cuda.matmul=own");
        }
        if (plain) {
            plain_product(c, a, b, s, precision, stream);
            return true;
        }
        // Finishes the output as for one slice of k.
        const Scratch scratch(std::size_t(s.M * s.N) * sizeof(T), stream);
        plain_product(scratch.as<T>(), a, b, s, precision, stream);
        finish_output<T>(c, moments, scratch.as<T>(), bias, s.M * s.N / channels, channels, {1, true}, act, stream);
        return true;
    }
#endif
    return false;
}

template bool matmul_cublas(real*, real*, const real*, const real*, const real*, const MatmulShape&, int64_t, Activation,
                            MatmulChoice, Precision, Stream);

}  // namespace gannet::kernels::cuda
