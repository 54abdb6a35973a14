// Loops that apps/bench times to measure the peak rates of an instruction set. Not part of the contract.
#pragma once
#include <cstdint>

#include "kernels/real.h"
#include "kernels/shapes.h"

namespace gannet::kernels::cpu {

// The loops of one instruction set.
struct PeakLoops {
    // Runs `tasks` tasks of `rounds` rounds of independent FMA instructions in registers; returns their flops.
    double (*multiply_adds)(int64_t tasks, int64_t rounds, Stream stream);
    // a = b + factor c over n elements: reads two arrays and writes one.
    void (*triad)(real* a, const real* b, const real* c, real factor, int64_t n, Stream stream);
};

namespace scalar {
PeakLoops peak_loops();
}
namespace avx2 {
PeakLoops peak_loops();
}
namespace avx512 {
PeakLoops peak_loops();
}

}  // namespace gannet::kernels::cpu
