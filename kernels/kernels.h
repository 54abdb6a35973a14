// All backends. Each instruction set of the CPU is a separate backend: one source, compiled once per set.
#pragma once
#include <cstdint>

#include "kernels/shapes.h"

#define KERNEL template <class T>
namespace gannet::kernels::cpu::scalar {
#include "kernels/contract/all.inl"
}
namespace gannet::kernels::cpu::avx2 {
#include "kernels/contract/all.inl"
}
namespace gannet::kernels::cpu::avx512 {
#include "kernels/contract/all.inl"
}
#ifdef GANNET_CUDA
namespace gannet::kernels::cuda {
#include "kernels/contract/all.inl"
}
#endif
#undef KERNEL

namespace gannet {

enum class Backend : uint8_t { cpu_scalar, cpu_avx2, cpu_avx512, cuda };

}  // namespace gannet

// RUN(device, matmul, c, moments, a, ...) calls the kernel of the device's backend, with its stream as the last argument. It is a
// macro because a namespace cannot be an argument.
#ifdef GANNET_CUDA
#define GANNET_RUN_CUDA(...) ::gannet::kernels::cuda::__VA_ARGS__
#else
#define GANNET_RUN_CUDA(...) ((void)0)
#endif
#define RUN(device, kernel, ...)                                                                                    \
    do {                                                                                                            \
        const auto& runs_on = (device);                                                                             \
        using ::gannet::Backend;                                                                                    \
        switch (runs_on.backend()) {                                                                                \
            case Backend::cpu_scalar: ::gannet::kernels::cpu::scalar::kernel(__VA_ARGS__, runs_on.stream()); break; \
            case Backend::cpu_avx2: ::gannet::kernels::cpu::avx2::kernel(__VA_ARGS__, runs_on.stream()); break;     \
            case Backend::cpu_avx512: ::gannet::kernels::cpu::avx512::kernel(__VA_ARGS__, runs_on.stream()); break; \
            case Backend::cuda: GANNET_RUN_CUDA(kernel(__VA_ARGS__, runs_on.stream())); break;                      \
        }                                                                                                           \
    } while (0)
