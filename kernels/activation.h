// The properties of each activation, one row each. The formulas are in kernels/math.h.
#pragma once
#include <limits>
#include <stdexcept>

#include "kernels/real.h"

namespace gannet {

enum class ActivationKind : int32_t { none, relu, leaky_relu, tanh, sigmoid, gelu, silu };

// y = act(x). `slope` (>= 0) is used only if the row has `slope`.
struct Activation {
    ActivationKind kind = ActivationKind::none;
    real slope = 0;
};

struct ActivationRow {
    ActivationKind kind;
    const char* name;               // the name of the layer, and of the function in torch.nn.functional
    bool needs_input = false;       // the derivative is computed from x, which is kept in addition to y. Otherwise it is computed
                                    // from y, and the activation can be fused into the end of a kernel
    bool piecewise_linear = false;  // x for x > 0, otherwise a multiple of x: no second derivative, two instructions
    bool slope = false;             // has the parameter `slope`
    double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();  // bounds of y
};
inline constexpr ActivationRow activation_rows[] = {
    {.kind = ActivationKind::none, .name = "none", .piecewise_linear = true},
    {.kind = ActivationKind::relu, .name = "relu", .piecewise_linear = true, .low = 0},
    {.kind = ActivationKind::leaky_relu, .name = "leaky_relu", .piecewise_linear = true, .slope = true},
    {.kind = ActivationKind::tanh, .name = "tanh", .low = -1, .high = 1},
    {.kind = ActivationKind::sigmoid, .name = "sigmoid", .low = 0, .high = 1},
    {.kind = ActivationKind::gelu, .name = "gelu", .needs_input = true, .low = -0.17},
    {.kind = ActivationKind::silu, .name = "silu", .needs_input = true, .low = -0.28},
};
constexpr const ActivationRow& row_of(ActivationKind kind) { return activation_rows[int(kind)]; }

// The kinds with a property as bits 1 << kind, for kernels, which cannot access the table.
constexpr uint32_t kinds_where(bool ActivationRow::*what) {
    uint32_t kinds = 0;
    for (const ActivationRow& row : activation_rows) kinds |= uint32_t(row.*what) << int(row.kind);
    return kinds;
}
inline constexpr uint32_t piecewise_linear_kinds = kinds_where(&ActivationRow::piecewise_linear);
inline constexpr uint32_t needs_input_kinds = kinds_where(&ActivationRow::needs_input);
GANNET_HD constexpr bool needs_input(ActivationKind kind) { return needs_input_kinds >> int(kind) & 1; }

// Throws if a kernel cannot compute `a` at its end. Must not read the table: objects of instruction sets do not contain it.
__attribute__((noinline, cold)) inline void check_fused(Activation a) {
    if (needs_input(a.kind)) throw std::invalid_argument("an activation that needs its input is a kernel of its own");
}

// An activation with its kind as a template parameter, so that a loop over it has no switch and vectorises.
template <ActivationKind K>
struct StaticActivation {
    static_assert(row_of(K).kind == K, "the rows are in the order of the kinds, one for each");
    real slope;
    GANNET_HD operator Activation() const { return {K, slope}; }
};

// Calls f with `a` as a StaticActivation, for activations that are fused into a matrix product or a norm. Activations that need
// their input have separate kernels.
template <class F>
void with_activation(Activation a, F&& f) {
    switch (a.kind) {
        case ActivationKind::none: return f(StaticActivation<ActivationKind::none>{a.slope});
        case ActivationKind::relu: return f(StaticActivation<ActivationKind::relu>{a.slope});
        case ActivationKind::leaky_relu: return f(StaticActivation<ActivationKind::leaky_relu>{a.slope});
        case ActivationKind::tanh: return f(StaticActivation<ActivationKind::tanh>{a.slope});
        case ActivationKind::sigmoid: return f(StaticActivation<ActivationKind::sigmoid>{a.slope});
        case ActivationKind::gelu:
        case ActivationKind::silu: return check_fused(a);
    }
}

// The same for every kind.
template <class F>
void with_any_activation(Activation a, F&& f) {
    switch (a.kind) {
        case ActivationKind::none:
        case ActivationKind::relu:
        case ActivationKind::leaky_relu:
        case ActivationKind::tanh:
        case ActivationKind::sigmoid: return with_activation(a, f);
        case ActivationKind::gelu: return f(StaticActivation<ActivationKind::gelu>{a.slope});
        case ActivationKind::silu: return f(StaticActivation<ActivationKind::silu>{a.slope});
    }
}

}  // namespace gannet
