// Optimizers, in place over a network's flat parameter buffer. Bound by memory: Adam reads 16 bytes and writes 12 per parameter,
// with about 12 flops, a square root and a division. Scalar factors are computed in double, once per call.
#include "kernels/cpu/isa.h"

#include "kernels/cpu/blocks.h"

namespace gannet::kernels::cpu::GANNET_ISA {
namespace {

// Calls f(e) for each of n elements; f writes only element e.
template <class F>
void for_each(Stream stream, int64_t n, const F& f) {
    for_blocks(stream, n, [&](int64_t begin, int64_t end) {
        const F local = f;
#pragma omp simd
        for (int64_t e = begin; e < end; ++e) local(e);
    });
}

}  // namespace

void optimizer_advance_update(OptimizerState* state, double beta1, double beta2, Stream) {
    state->updates += 1;
    state->correction1 = 1 - std::pow(beta1, double(state->updates));
    state->correction2 = 1 - std::pow(beta2, double(state->updates));
}

template <class T>
void adam_update(T* w, T* m, T* v, const T* g, const OptimizerState* state, const AdamParameters& p, int64_t n, Stream stream) {
    const T beta1 = T(p.beta1), rest1 = T(1 - p.beta1), beta2 = T(p.beta2), rest2 = T(1 - p.beta2);
    const T decay = T(p.weight_decay), eps = T(p.eps);
    const T step = T(state->lr / state->correction1), inverse_root = T(1 / std::sqrt(state->correction2));
    for_each(stream, n, [=](int64_t e) {
        const T d = g[e] + decay * w[e];
        m[e] = beta1 * m[e] + rest1 * d;
        v[e] = beta2 * v[e] + rest2 * (d * d);
        w[e] -= step * m[e] / (math::sqrt(v[e]) * inverse_root + eps);
    });
}

template <class T>
void rmsprop_update(T* w, T* v, T* m, const T* g, const OptimizerState* state, const RmspropParameters& p, int64_t n,
                    Stream stream) {
    const T alpha = T(p.alpha), rest = T(1 - p.alpha), momentum = T(p.momentum), decay = T(p.weight_decay), lr = T(state->lr);
    const T inside = p.eps_inside_sqrt ? T(p.eps) : T(0), outside = p.eps_inside_sqrt ? T(0) : T(p.eps);
    const auto scaled_gradient = [=](int64_t e) {
        const T d = g[e] + decay * w[e];
        v[e] = alpha * v[e] + rest * (d * d);
        return d / (math::sqrt(v[e] + inside) + outside);
    };
    if (p.momentum == 0) return for_each(stream, n, [=](int64_t e) { w[e] -= lr * scaled_gradient(e); });
    for_each(stream, n, [=](int64_t e) {
        m[e] = momentum * m[e] + scaled_gradient(e);
        w[e] -= lr * m[e];
    });
}

template <class T>
void sgd_update(T* w, T* m, const T* g, const OptimizerState* state, const SgdParameters& p, int64_t n, Stream stream) {
    const T momentum = T(p.momentum), decay = T(p.weight_decay), lr = T(state->lr);
    const T follow = p.nesterov ? momentum : T(1), direct = p.nesterov ? T(1) : T(0);
    if (p.momentum == 0) return for_each(stream, n, [=](int64_t e) { w[e] -= lr * (g[e] + decay * w[e]); });
    const bool first = state->updates <= 1;  // m is uninitialised
    for_each(stream, n, [=](int64_t e) {
        const T d = g[e] + decay * w[e];
        m[e] = first ? d : momentum * m[e] + d;
        w[e] -= lr * (direct * d + follow * m[e]);
    });
}

template <class T>
void lion_update(T* w, T* m, const T* g, const OptimizerState* state, const LionParameters& p, int64_t n, Stream stream) {
    const T beta1 = T(p.beta1), rest1 = T(1 - p.beta1), beta2 = T(p.beta2), rest2 = T(1 - p.beta2);
    const T decay = T(p.weight_decay), lr = T(state->lr);
    for_each(stream, n, [=](int64_t e) {
        w[e] -= lr * (math::sign(beta1 * m[e] + rest1 * g[e]) + decay * w[e]);
        m[e] = beta2 * m[e] + rest2 * g[e];
    });
}

template <class T>
void clip_update(T* w, T limit, int64_t n, Stream stream) {
    for_each(stream, n, [=](int64_t e) { w[e] = math::clamp(w[e], -limit, limit); });
}

template <class T>
void accumulate_update(T* sum, const T* g, int64_t n, Stream stream) {
    for_each(stream, n, [=](int64_t e) { sum[e] += g[e]; });
}

void advance_update(Counters* counters, int64_t images, Stream) {
    counters->step += 1;
    counters->images_seen += images;
}

}  // namespace gannet::kernels::cpu::GANNET_ISA

#define CONTRACT "kernels/contract/optimizer.inl"
#include "kernels/cpu/instantiate.inl"
