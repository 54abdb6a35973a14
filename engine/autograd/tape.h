// The tape: every recorded op is a node; grad() visits the nodes in reverse. A node's rule (its vector-Jacobian product) consists
// of ops, so with create_graph the gradient is recorded, too, to any order.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/tensor/tensor.h"
#include "kernels/place.h"

namespace gannet {

using Tensors = std::vector<Tensor>;

// The arguments of a rule. Outputs are passed rather than captured, so that no node keeps itself alive.
struct VjpArgs {
    const Tensors& in;
    const Tensors& out;              // an output that was freed is absent
    const Tensors& dout;             // absent = zero
    const std::vector<bool>& needs;  // which inputs' gradients are wanted
    const Tensors& into;             // destination of an input's gradient; absent = new memory
};
// One gradient per input; absent = zero or not requested.
using Vjp = std::function<Tensors(const VjpArgs&)>;

struct Node {
    const char* op;
    int64_t id;
    Tensors inputs;
    std::vector<std::weak_ptr<Tensor::Impl>> outputs;
    Tensor kept;  // the memory of the last output, if the rule needs it whoever else keeps it
    Vjp vjp;
    const StepPart* place;  // the recording layer
};

// Records `outputs` as computed from `inputs`, if recording is on and some input requires a gradient. Outputs that a rule cannot
// differentiate (saved statistics) are not listed.
Tensor record(const char* op, Tensor output, Tensors inputs, Vjp vjp);
Tensors record(const char* op, Tensors outputs, Tensors inputs, Vjp vjp, bool keep_last = false);

// Switches recording of ops on this thread on or off for a scope.
bool recording();
class Recording {
public:
    explicit Recording(bool on);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

private:
    bool before_;
};

struct GradOptions {
    bool create_graph = false;  // record the gradient's own ops, for second order
    Tensors into;               // destinations, one for each x or none; not with create_graph
    bool zero_absent = true;    // fill the destination of an absent gradient with zeros; otherwise leave it unchanged
};

// Gradients of sum_k <ys[k], dys[k]> with respect to xs. Absent dys are ones (ys[k] must then have one element).
// An x that the ys do not depend on gets an absent gradient, or zeros in its destination (zero_absent). Only nodes on a path
// from a y to some x are visited.
Tensors grad(const Tensors& ys, const Tensors& xs, const Tensors& dys = {}, const GradOptions& options = {});

// The gradients of a fused op's own derivative, by differentiating `composition` (made of ops) at `inputs`.
Tensors differentiate(const std::function<Tensors(const Tensors&)>& composition, const Tensors& inputs, const Tensors& dout,
                      const std::vector<bool>& needs);

}  // namespace gannet
