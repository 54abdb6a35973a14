#include "engine/autograd/tape.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "engine/autograd/ops.h"
#include "kernels/place.h"

namespace gannet {
namespace {

thread_local bool recording_on = true;

using Key = const Tensor::Impl*;

// The nodes between ys and xs. A tensor older than every x cannot depend on one, which bounds the search.
class Paths {
public:
    Paths(const Tensors& ys, const Tensors& xs) {
        for (const Tensor& x : xs) {
            wanted_.insert(x.impl().get());
            oldest_ = std::min(oldest_, x.impl()->id);
        }
        for (const Tensor& y : ys)
            if (y) search(y.impl()->node.get());
    }
    bool wanted(const Tensor& x) const { return wanted_.contains(x.impl().get()); }
    bool leads(const Tensor& x) const { return x && (wanted(x) || leads(x.impl()->node.get())); }
    // Excludes the node that made an x, unless it depends on another x.
    bool leads(const Node* node) const {
        const auto found = leads_.find(node);
        return found != leads_.end() && found->second;
    }

private:
    // Depth first with an explicit stack, because graphs of third order are deep.
    void search(const Node* root) {
        if (!root) return;
        std::vector<std::pair<const Node*, std::size_t>> stack{{root, 0}};
        leads_.try_emplace(root, false);
        while (!stack.empty()) {
            auto& [node, next] = stack.back();
            if (next < node->inputs.size()) {
                const Tensor& input = node->inputs[next++];
                const Node* from = input ? input.impl()->node.get() : nullptr;
                if (from && input.impl()->id > oldest_ && leads_.try_emplace(from, false).second) stack.push_back({from, 0});
                continue;
            }
            bool& found = leads_[node];
            for (const Tensor& input : node->inputs) found = found || leads(input);
            stack.pop_back();
        }
    }

    std::unordered_set<Key> wanted_;
    std::unordered_map<const Node*, bool> leads_;
    int64_t oldest_ = INT64_MAX;
};

}  // namespace

bool recording() { return recording_on; }
Recording::Recording(bool on) : before_(recording_on) { recording_on = on; }
Recording::~Recording() { recording_on = before_; }

Tensors record(const char* op, Tensors outputs, Tensors inputs, Vjp vjp, bool keep_last) {
    const bool needed =
        recording_on && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.requires_grad(); });
    if (!needed) return outputs;
    const Tensor kept = keep_last ? outputs.back().detach() : Tensor();
    auto node =
        std::make_shared<Node>(Node{op, outputs[0].impl()->id, std::move(inputs), {}, kept, std::move(vjp), current_place});
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        node->outputs.push_back(outputs[i].impl());
        outputs[i].impl()->node = node;
        outputs[i].impl()->output = int(i);
        node->id = std::max(node->id, outputs[i].impl()->id);
    }
    return outputs;
}

Tensor record(const char* op, Tensor output, Tensors inputs, Vjp vjp) {
    return record(op, Tensors{std::move(output)}, std::move(inputs), std::move(vjp))[0];
}

Tensors grad(const Tensors& ys, const Tensors& xs, const Tensors& dys, const GradOptions& options) {
    const bool has_into = !options.into.empty();
    if (options.create_graph && has_into) throw Error("grad: destinations cannot be part of a graph");
    if (has_into && options.into.size() != xs.size()) throw Error("grad: as many destinations as tensors are needed");
    if (!dys.empty() && dys.size() != ys.size()) throw Error("grad: as many dys as ys are needed, or none");
    for (const Tensor& x : xs)
        if (!x) throw Error("grad: an absent tensor has no gradient");

    const Range backward({.name = "backward", .is_backward = true});
    const Recording scope(options.create_graph);
    const Paths paths(ys, xs);

    std::unordered_map<Key, Tensor> sums;  // the gradient of a tensor, so far
    std::unordered_map<Key, Tensor> destination;
    if (has_into)
        for (std::size_t i = 0; i < xs.size(); ++i) destination[xs[i].impl().get()] = options.into[i];

    const auto place_of = [&](const Tensor& x) {
        const auto to = destination.find(x.impl().get());
        return to == destination.end() ? Tensor() : to->second;
    };
    // The first contribution to a requested gradient is written to its destination if the op supports it; the others are added
    // there.
    const auto contribute = [&](const Tensor& x, const Tensor& g) {
        if (!g) return;
        if (g.shape() != x.shape()) throw Error("grad: gradient " + g.shape().str() + " of a tensor " + x.shape().str());
        Tensor& sum = sums[x.impl().get()];
        sum = sum ? add(sum, g, place_of(x)) : g;
    };

    std::map<int64_t, std::shared_ptr<Node>, std::greater<>> queue;  // newest first
    const auto enqueue = [&](const Tensor& x) {
        if (const auto& node = x.impl()->node; paths.leads(node.get())) queue.emplace(node->id, node);
    };
    for (std::size_t k = 0; k < ys.size(); ++k) {
        if (!ys[k]) continue;
        Tensor dy = dys.empty() ? Tensor() : dys[k];
        if (!dys.empty() && !dy) continue;
        if (!dy) {
            if (ys[k].size() != 1) throw Error("grad: y has shape " + ys[k].shape().str() + ", so dy must be given");
            dy = Tensor::full(ys[k].shape(), 1, ys[k].device());
        }
        if (dy.shape() != ys[k].shape()) throw Error("grad: dy " + dy.shape().str() + " for y " + ys[k].shape().str());
        if (!paths.leads(ys[k])) continue;
        Tensor& sum = sums[ys[k].impl().get()];
        sum = sum ? add(sum, dy) : dy;
        enqueue(ys[k]);
    }

    while (!queue.empty()) {
        const std::shared_ptr<Node> node = queue.begin()->second;
        queue.erase(queue.begin());
        Tensors out, dout;
        for (auto& weak : node->outputs) {
            auto impl = weak.lock();
            if (!impl && node->kept && &weak == &node->outputs.back()) {  // the same memory, as this node's output again
                impl = node->kept.detach().impl();
                impl->node = node;
                impl->output = int(node->outputs.size()) - 1;
                weak = impl;
            }
            out.push_back(Tensor(impl));
            const auto found = impl ? sums.find(impl.get()) : sums.end();
            dout.push_back(found == sums.end() ? Tensor() : found->second);
            // A gradient that was not requested is read only once.
            if (found != sums.end() && !paths.wanted(out.back())) sums.erase(found);
        }
        if (std::none_of(dout.begin(), dout.end(), [](const Tensor& d) { return bool(d); })) continue;
        std::vector<bool> needs;
        Tensors into;
        std::unordered_set<Key> met;  // in an op of x and x only one may write to the destination
        for (const Tensor& x : node->inputs) {
            needs.push_back(paths.leads(x));
            const bool first = x && !sums.contains(x.impl().get()) && met.insert(x.impl().get()).second;
            into.push_back(first ? place_of(x) : Tensor());
        }
        const Place place(node->place);
        const Tensors dx = node->vjp({node->inputs, out, dout, needs, into});
        for (std::size_t i = 0; i < node->inputs.size(); ++i) {
            if (!needs[i]) continue;
            contribute(node->inputs[i], dx[i]);
            enqueue(node->inputs[i]);
        }
    }

    Tensors result;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        const auto found = sums.find(xs[i].impl().get());
        Tensor g = found == sums.end() ? Tensor() : found->second;
        if (has_into && options.into[i]) {
            const Tensor& to = options.into[i];
            if (to.shape() != xs[i].shape()) throw Error("grad: destination " + to.shape().str() + " for " + xs[i].shape().str());
            if (!g && !options.zero_absent) continue;
            if (!g) RUN(to.device(), fill, to.data(), real(0), to.size());
            else if (g.data() != to.data()) RUN(to.device(), copy, to.data(), g.data(), to.size());
            g = to;
        }
        result.push_back(g);
    }
    return result;
}

Tensors differentiate(const std::function<Tensors(const Tensors&)>& composition, const Tensors& inputs, const Tensors& dout,
                      const std::vector<bool>& needs) {
    const bool create_graph = recording();
    const Recording scope(true);
    // Uses new tensors for the inputs, because one input may be computed from another, and such paths belong to the caller.
    Tensors fresh, wanted;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        Tensor x = inputs[i];
        if (x) x = create_graph && x.requires_grad() ? identity(x) : x.detach().set_requires_grad();
        if (needs[i] && x) wanted.push_back(x);
        fresh.push_back(x);
    }
    const Tensors outputs = composition(fresh);
    Tensors gradients = grad(outputs, wanted, dout, {.create_graph = create_graph, .into = {}});
    Tensors result(inputs.size());
    for (std::size_t i = 0, k = 0; i < inputs.size(); ++i)
        if (needs[i] && inputs[i]) result[i] = gradients[k++];
    return result;
}

}  // namespace gannet
