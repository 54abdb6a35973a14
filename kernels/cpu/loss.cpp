// Losses over the scores of a batch, and the norm of a gradient. Scores are few; the norm reads 4 bytes per parameter.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {

template <class T>
void loss(T* out, const T* x, const LossForm& form, int64_t n, Stream) {
    with_loss(form, [=](auto f) {
        for_row_sums(
            RowsShape{1, n}, [=](int64_t e) { return loss_value(x[e], f); },
            [=](int64_t, T total) { out[0] = n > 0 ? total / T(n) : T(0); });
    });
}

template <class T>
void loss_grad(T* dx, const T* x, const T* dout, const LossForm& form, int64_t n, Stream) {
    if (n <= 0) return;
    const T scale = dout[0] / T(n);
    with_loss(form, [=](auto f) { map(dx, n, [=](int64_t e) { return scale * loss_derivative(x[e], f); }); });
}

// In double: squares of large gradients would leave the range of float.
template <class T>
void norm2(T* out, const T* x, int64_t n, Stream) {
    for_row_sums(
        RowsShape{1, n}, [=](int64_t e) { return double(x[e]) * double(x[e]); },
        [=](int64_t, double total) { out[0] = T(std::sqrt(total)); });
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/loss.inl"
#include "kernels/cpu/instantiate.inl"
