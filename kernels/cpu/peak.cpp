// The loops that measure the roofline of a machine. multiply_adds is bound only by the FMA units: 12 independent chains of whole
// vectors hide the latency on all current x86-64 processors and fit into 16 registers with the two factors. triad is bound by
// memory or by the cache that its arrays fit in; it has the same structure as the engine's elementwise kernels.
#include "kernels/cpu/peak.h"

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/simd.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

double multiply_adds(int64_t tasks, int64_t rounds, Stream stream) {
    constexpr int chains = 12;
    parallel_for(stream, tasks, [=](int64_t i) {
        const vec factor = vec{} + real(0.5), step = vec{} + real(0.25) * real(i % 2 + 1);  // converge to 2 step: no denormals
        vec sums[chains];
        for (int k = 0; k < chains; ++k) sums[k] = step * real(k + 1);
        for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
            for (int k = 0; k < chains; ++k) sums[k] = sums[k] * factor + step;
        vec total = {};
        for (int k = 0; k < chains; ++k) total += sums[k];
        [[maybe_unused]] volatile const real used = sum_lanes(total);  // keeps the compiler from removing the loop
    });
    return 2.0 * chains * lanes * double(tasks) * double(rounds);
}

void triad(real* a, const real* b, const real* c, real factor, int64_t n, Stream stream) {
    map(stream, a, n, [=](int64_t e) { return b[e] + factor * c[e]; });
}

}  // namespace

PeakLoops peak_loops() { return {multiply_adds, triad}; }

}  // namespace gannet::kernels::cpu::GANNET_ISA
