// Included first by every kernel file of the CPU. The build compiles those files once for each instruction set, with
// GANNET_ISA naming the namespace; kernels.h holds the declarations.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

#ifndef GANNET_ISA
#define GANNET_ISA scalar
#endif

namespace gannet::kernels::cpu::GANNET_ISA {

// Bytes of the widest vector register of this instruction set.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
inline constexpr int lanes = vector_bytes / int(sizeof(real));

}  // namespace gannet::kernels::cpu::GANNET_ISA
