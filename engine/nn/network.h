// A network: a tree of layers over one flat buffer of parameters and one of gradients.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gannet {

class Network {
public:
    // `in` is the shape of one sample. Parameters are uninitialised until initialise() or a checkpoint fills them.
    Network(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
            const config::BuildOptions& options, Device device);
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    // Lets forward() take samples of another shape as well: the same list and the same parameters, its shapes inferred for `in`.
    // Throws Error where the list does not fit or a parameter's shape depends on that of the sample.
    void also_take(SampleShape in, const std::vector<config::LayerConfig>& list, SampleShape image,
                   const config::BuildOptions& options);

    // Initial values: pure functions of (seed, network, parameter number, element).
    void initialise(uint64_t seed);

    // With the network's own values, unless the pass names others.
    Tensor forward(const Inputs& inputs, const Pass& pass) const;

    Net net() const { return net_; }
    std::string name() const { return name_of(net_); }
    const Device& device() const { return device_; }
    SampleShape in() const { return in_; }
    SampleShape out() const { return root_.out; }
    const Sequence& layers() const { return root_; }
    const std::vector<const Variable*>& parameters() const { return parameters_; }
    const std::vector<const Variable*>& buffers() const { return buffers_; }
    // Of the parameters, by their index: values, which are leaves of the tape and the same tensors every time, and gradients.
    const Tensors& values() const { return values_; }
    const Tensors& gradients() const { return gradients_; }
    // The parameters' places in a flat tensor like flat_values().
    Tensors places_in(const Tensor& flat) const;

    // Those of its modules that they pass on to the whole: couples_samples, stochastic.
    Traits traits() const;
    // Running statistics move by what a forward() left in its Pass's `updates`: as if it were done again.
    void move_statistics(const std::vector<StatisticsUpdate>& updates) const;

    // All parameters, all gradients and all buffers, each in one piece. Gaps between them stay zero.
    const Tensor& flat_values() const { return flat_values_; }
    const Tensor& flat_gradients() const { return flat_gradients_; }
    const Tensor& flat_buffers() const { return flat_buffers_; }
    int64_t parameter_count() const;

private:
    Net net_;
    SampleShape in_;
    Device device_;
    Sequence root_;
    SampleShape other_in_;
    std::optional<Sequence> other_;  // of samples of shape other_in_
    std::vector<const Variable*> parameters_, buffers_;
    Tensor flat_values_, flat_gradients_, flat_buffers_;
    Tensors values_, gradients_;
};

// A tensor as torch lays it out, on the host, and back.
std::vector<real> to_torch(const Tensor& value, const TransposeShape& layout);
void from_torch(const Tensor& value, const TransposeShape& layout, const std::vector<real>& data);
// Images (N,H,W,C) in torch's layout (N,C,H,W); vectors as they are.
TransposeShape image_layout(const SampleShape& sample, int64_t n);

// The layer table: one row a layer, nested ones indented, with shapes, parameters, flops and what is fused into what.
std::string summary(const Network& network);
// The same for programs: what each module describes, its variables in torch's shapes, and what it is fused into; a list.
json::List description(const Sequence& sequence);

}  // namespace gannet
