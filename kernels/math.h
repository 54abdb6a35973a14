// Scalar formulas shared by all backends: elementary functions, activations, losses.
//
// The float versions are branch-free polynomials without calls, so that a plain loop over them vectorises. The stated error
// bounds are measured against double, with and without fused multiply-add, on every float where the function is not trivial and
// on every 13th other float. The double versions, for the gradient checker, call the standard library. Special values: NaN stays
// NaN, overflow gives inf, log(0) = -inf, log(x < 0) = NaN, denormal inputs and results are kept.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/shapes.h"

namespace gannet::math {

GANNET_HD uint32_t to_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
GANNET_HD float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// a * b + c, fused if the target supports it. Explicit, so that the vectorised body and the tail of a loop round in the same way.
GANNET_HD float multiply_add(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
    return fmaf(a, b, c);
#elif defined(__FMA__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}
GANNET_HD double multiply_add(double a, double b, double c) { return a * b + c; }

// Horner's rule, highest power first.
GANNET_HD float polynomial(float, float c0) { return c0; }
template <class... C>
GANNET_HD float polynomial(float x, float c0, float c1, C... rest) {
    return polynomial(x, multiply_add(c0, x, c1), rest...);
}

// The parts of exp(x) = 2^n (1 + q): q = expm1(r) with x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite; Cephes' polynomial).
// |x| <= 2^21 or NaN.
struct ExpParts {
    float q;
    int32_t n;
};
inline constexpr float exp_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
GANNET_HD float exp_rest(float x, float n) {
    const float r = multiply_add(n, -0.693359375f, x);
    return multiply_add(n, 2.12194440e-4f, r);
}
GANNET_HD float expm1_polynomial(float r) {
    const float p =
        polynomial(r, 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f);
    return multiply_add(r * r, p, r);
}
GANNET_HD ExpParts exp_parts(float x) {
    const float shifted = multiply_add(x, 1.44269504088896341f, exp_magic);
    return {expm1_polynomial(exp_rest(x, shifted - exp_magic)), int32_t(to_bits(shifted) - to_bits(exp_magic))};
}
GANNET_HD float power_of_two(int32_t n) { return from_bits(uint32_t(n + 127) << 23); }
GANNET_HD float assemble(const ExpParts& e) {
    const int32_t half = e.n >> 1;  // two factors, so that 2^128 and denormal results are possible
    return (1.0f + e.q) * power_of_two(half) * power_of_two(e.n - half);
}

// 1.02 ulp
GANNET_HD float exp(float x) {
    x = x > 89.0f ? 89.0f : x;  // NaN passes both
    x = x < -104.0f ? -104.0f : x;
    return assemble(exp_parts(x));
}

// 0.84 ulp
GANNET_HD float log(float x) {
    const float inf = from_bits(0x7F800000u);
    const bool tiny = x < 1.17549435e-38f;
    const uint32_t bits = to_bits(tiny ? x * 8388608.0f : x);
    // x = 2^e m with m in [sqrt(1/2), sqrt(2)): after subtracting the bits of sqrt(1/2), the exponent field is e
    const uint32_t moved = bits - 0x3F3504F3u;
    const float e = float(int32_t(moved) >> 23) - (tiny ? 23.0f : 0.0f);
    const float f = from_bits((moved & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f, z = f * f;
    const float p = polynomial(f, 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                               -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
    float y = multiply_add(e, -2.12194440e-4f, z * f * p);
    y = multiply_add(z, -0.5f, y) + f;
    y = multiply_add(e, 0.693359375f, y);
    y = x < inf ? y : x;  // inf and NaN
    y = x > 0.0f ? y : (x == 0.0f ? -inf : from_bits(0x7FC00000u));
    return y;
}

// log(1 + x), 1.6 ulp
GANNET_HD float log1p(float x) {
    const float u = 1.0f + x;
    const float lost = (x - (u - 1.0f)) / (u > 0.0f ? u : 1.0f);  // the rounding error of u
    return log(u) + (x < 1.0f && u > 0.0f ? lost : 0.0f);
}

// 2.5 ulp
GANNET_HD float tanh(float x) {
    float a = std::fabs(x);
    a = a > 20.0f ? 20.0f : a;
    const ExpParts e = exp_parts(-2.0f * a);
    const float scale = power_of_two(e.n);
    const float m = multiply_add(scale, e.q, scale - 1.0f);  // expm1(-2a)
    const float y = -m / (m + 2.0f);
    return from_bits((to_bits(y) & 0x7FFFFFFFu) | (to_bits(x) & 0x80000000u));
}

// 2.5 ulp; 0 below -88.8, where the result would be denormal
GANNET_HD float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

// The standard normal distribution at x: its density, and the probability (1 + erf(x / sqrt(2))) / 2 of a smaller value, computed
// without the cancellation of this sum below zero. 6.9 and 2.2 ulp, unless the result is denormal.
template <class T>
struct Normal {
    T cdf, pdf;
};
GANNET_HD Normal<float> normal(float x) {
    float a = std::fabs(x);
    a = a > 15.0f ? 15.0f : a;
    // exp(-a^2 / 2), where a^2 is split into an exact square of 12 bits and the remainder
    const float high = from_bits(to_bits(a) & 0xFFFFF000u), square = -0.5f * high * high, half = -0.5f * (a - high);
    const float shifted = multiply_add(multiply_add(half, a + high, square), 1.44269504088896341f, exp_magic);
    const float r = multiply_add(half, a + high, exp_rest(square, shifted - exp_magic));
    const float e = assemble({expm1_polynomial(r), int32_t(to_bits(shifted) - to_bits(exp_magic))});
    // the probability of a value above a is e R(a); R is a polynomial in t without constant term (minimax fit, error 3e-8)
    const float t = 1.0f / multiply_add(a, 0.35f, 1.0f);
    const float tail = t * polynomial(t, -2.9163358733e-2f, 1.4405825734e-1f, -2.5589707494e-1f, 1.5938799083e-1f,
                                      -2.3260809481e-2f, 1.0557367653e-1f, 1.1981574446e-1f, 1.3986431062e-1f, 1.3962125778e-1f);
    return {x > 0.0f ? multiply_add(-e, tail, 1.0f) : e * tail, e * 0.398942280401432678f};
}

// log(1 + exp(x)), 2 ulp
GANNET_HD float softplus(float x) { return (x > 0.0f ? x : 0.0f) + log1p(exp(-std::fabs(x))); }

// sin and cos of 2 pi u, 0 <= u <= 1: 2 ulp. The reduction to an eighth of a turn is exact.
GANNET_HD void sincos_turns(float u, float& sine, float& cosine) {
    const int32_t quarter = int32_t(multiply_add(u, 4.0f, 0.5f));
    const float a = (u - float(quarter) * 0.25f) * 6.28318530717958648f, z = a * a;
    const float s = multiply_add(polynomial(z, -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f), z * a, a);
    const float c = multiply_add(polynomial(z, 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f), z * z,
                                 multiply_add(z, -0.5f, 1.0f));
    const bool swapped = quarter & 1;
    sine = from_bits(to_bits(swapped ? c : s) ^ (uint32_t(quarter & 2) << 30));
    cosine = from_bits(to_bits(swapped ? s : c) ^ (uint32_t((quarter + 1) & 2) << 30));
}

GANNET_HD double exp(double x) { return std::exp(x); }
GANNET_HD double log(double x) { return std::log(x); }
GANNET_HD double log1p(double x) { return std::log1p(x); }
GANNET_HD double tanh(double x) { return std::tanh(x); }
GANNET_HD double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
GANNET_HD Normal<double> normal(double x) {
    x = x > 40 ? 40 : x < -40 ? -40 : x;  // beyond it the density is 0; infinities would give NaN below
    // Far from 0 both change quickly: `lost` and `rest` are what rounding takes from z = -x / sqrt(2) and from x^2.
    const double z = x * -0.70710678118654757, lost = std::fma(x, -0.70710678118654757, -z) + x * 4.8336466567264567e-17;
    const double square = x * x, rest = std::fma(x, x, -square), pdf = std::exp(square * -0.5) * 0.398942280401432678;
    return {(std::erfc(z) - lost * pdf * 2.82842712474619010) / 2, pdf - pdf * rest * 0.5};
}
GANNET_HD double softplus(double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }
GANNET_HD void sincos_turns(double u, double& sine, double& cosine) {
    const int quarter = int(u * 4 + 0.5);
    const double a = (u - quarter * 0.25) * 6.283185307179586477, s = std::sin(a), c = std::cos(a);
    sine = (quarter & 2 ? -1 : 1) * (quarter & 1 ? c : s);
    cosine = ((quarter + 1) & 2 ? -1 : 1) * (quarter & 1 ? s : c);
}
GANNET_HD float sqrt(float x) { return std::sqrt(x); }
GANNET_HD double sqrt(double x) { return std::sqrt(x); }

// NaN passes.
template <class T>
GANNET_HD T clamp(T x, T low, T high) {
    const T y = x < low ? low : x;
    return y > high ? high : y;
}

// 1 or -1; 0 and NaN pass.
template <class T>
GANNET_HD T sign(T x) {
    return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

}  // namespace gannet::math

namespace gannet {

// ---- activations -----------------------------------------------------------------------------------------------------

// The activations that are fused into a matrix product or a norm (check_fused). Their derivative is computed from y.

GANNET_HD real activate(real x, Activation a) {
    switch (a.kind) {
        case ActivationKind::none: return x;
        case ActivationKind::relu: return x <= 0 ? real(0) : x;  // NaN passes
        case ActivationKind::leaky_relu: return x > 0 ? x : a.slope * x;
        case ActivationKind::tanh: return math::tanh(x);
        case ActivationKind::sigmoid: return math::sigmoid(x);
        case ActivationKind::gelu:
        case ActivationKind::silu: break;
    }
    return x;
}

// act'(x), written with y = act(x).
GANNET_HD real activation_derivative(real y, Activation a) {
    switch (a.kind) {
        case ActivationKind::none: return 1;
        case ActivationKind::relu: return y > 0 ? real(1) : real(0);
        case ActivationKind::leaky_relu: return y > 0 ? real(1) : a.slope;
        case ActivationKind::tanh: return 1 - y * y;
        case ActivationKind::sigmoid: return y * (1 - y);
        case ActivationKind::gelu:
        case ActivationKind::silu: break;
    }
    return 1;
}

// act'(x) dy. As in torch, relu selects instead of multiplying: an inactive unit passes no NaN, and a NaN unit passes dy.
GANNET_HD real activation_gradient(real y, real dy, Activation a) {
    if (a.kind == ActivationKind::none) return dy;
    if (a.kind == ActivationKind::relu) return y <= 0 ? real(0) : dy;
    return activation_derivative(y, a) * dy;
}

// Any activation and its gradient. `kept` is x if the activation needs its input, otherwise y.

GANNET_HD real activate_any(real x, Activation a) {
    switch (a.kind) {
        case ActivationKind::none:
        case ActivationKind::relu:
        case ActivationKind::leaky_relu:
        case ActivationKind::tanh:
        case ActivationKind::sigmoid: return activate(x, a);
        case ActivationKind::gelu: return x * math::normal(x).cdf;
        case ActivationKind::silu: return x * math::sigmoid(x);
    }
    return x;
}

GANNET_HD real gradient_of_any(real kept, real dy, Activation a) {
    const real x = kept;
    switch (a.kind) {
        case ActivationKind::none:
        case ActivationKind::relu:
        case ActivationKind::leaky_relu:
        case ActivationKind::tanh:
        case ActivationKind::sigmoid: return activation_gradient(kept, dy, a);
        case ActivationKind::gelu: {
            const auto n = math::normal(x);
            return math::multiply_add(x, n.pdf, n.cdf) * dy;
        }
        case ActivationKind::silu: {
            const real e = math::exp(-std::fabs(x)), large = 1 / (1 + e), small = e * large;
            return (x > 0 ? large : small) * math::multiply_add(x, x > 0 ? small : large, real(1)) * dy;
        }
    }
    return dy;
}

// ---- losses ----------------------------------------------------------------------------------------------------------

// f(x) of one score, without the weight; see LossForm.
GANNET_HD real loss_value(real x, const LossForm& form) {
    const real t = form.target, floor = -100;
    switch (form.kind) {
        case LossKind::bce: {
            const real p = form.epsilon > 0 ? math::clamp(x, form.epsilon, 1 - form.epsilon) : x;
            const real a = math::log(p), b = math::log1p(-p);
            return -(t * (a < floor ? floor : a) + (1 - t) * (b < floor ? floor : b));
        }
        case LossKind::bce_with_logits:  // softplus(x) - t x without cancellation at large x
            return (x > 0 ? (1 - t) * x : -t * x) + math::log1p(math::exp(-std::fabs(x)));
        case LossKind::least_squares: return (x - t) * (x - t);
        case LossKind::hinge: {
            const real margin = 1 - t * x;
            return margin <= 0 ? real(0) : margin;
        }
        case LossKind::linear: return t * x;
    }
    return 0;
}

GANNET_HD real loss_derivative(real x, const LossForm& form) {
    const real t = form.target;
    switch (form.kind) {
        case LossKind::bce: {
            const bool outside = form.epsilon > 0 && (x < form.epsilon || x > 1 - form.epsilon);
            const real d = x * (1 - x);
            const real g = (x - t) / (d < real(1e-12) ? real(1e-12) : d);
            return outside ? real(0) : g;
        }
        case LossKind::bce_with_logits: {  // sigmoid(x) - t as (1-t) sigmoid(x) - t sigmoid(-x), without cancellation
            const real e = math::exp(-std::fabs(x)), large = 1 / (1 + e), small = e * large;
            return (1 - t) * (x > 0 ? large : small) - t * (x > 0 ? small : large);
        }
        case LossKind::least_squares: return 2 * (x - t);
        case LossKind::hinge: return 1 - t * x <= 0 ? real(0) : -t;  // NaN gives -t
        case LossKind::linear: return t;
    }
    return 0;
}

// A loss with its kind as a template parameter. with_loss calls f with it.
template <LossKind K>
struct StaticLoss {
    real target, epsilon, weight;
    GANNET_HD operator LossForm() const { return {K, target, epsilon, weight}; }
};
template <class F>
void with_loss(const LossForm& form, F&& f) {
    switch (form.kind) {
        case LossKind::bce: return f(StaticLoss<LossKind::bce>{form.target, form.epsilon, form.weight});
        case LossKind::bce_with_logits: return f(StaticLoss<LossKind::bce_with_logits>{form.target, form.epsilon, form.weight});
        case LossKind::least_squares: return f(StaticLoss<LossKind::least_squares>{form.target, form.epsilon, form.weight});
        case LossKind::hinge: return f(StaticLoss<LossKind::hinge>{form.target, form.epsilon, form.weight});
        case LossKind::linear: return f(StaticLoss<LossKind::linear>{form.target, form.epsilon, form.weight});
    }
}

}  // namespace gannet
