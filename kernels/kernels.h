// All backends. The CPU's instruction sets are backends of their own: one source, compiled once for each.
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

// Half a statement each, which clang-format cannot read.
// clang-format off
#ifdef GANNET_CUDA
#define GANNET_RUN_CUDA(call) \
    case ::gannet::Backend::cuda: ::gannet::kernels::cuda::call; break;
#else
#define GANNET_RUN_CUDA(call) \
    case ::gannet::Backend::cuda: break;
#endif

// RUN(device, matmul(...)) calls the kernel of the device's backend. A macro, because a namespace cannot be an argument.
#define RUN(device, call)                                                                      \
    do {                                                                                       \
        switch ((device).backend()) {                                                          \
            case ::gannet::Backend::cpu_scalar: ::gannet::kernels::cpu::scalar::call; break;   \
            case ::gannet::Backend::cpu_avx2: ::gannet::kernels::cpu::avx2::call; break;       \
            case ::gannet::Backend::cpu_avx512: ::gannet::kernels::cpu::avx512::call; break;   \
                GANNET_RUN_CUDA(call)                                                          \
        }                                                                                      \
    } while (0)
// clang-format on
