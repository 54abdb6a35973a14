// A network: a tree of layers over one flat buffer of parameters and one of gradients.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/layer.h"

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

    Tensor forward(const Tensor& x, const Context& context) const;

    Net net() const { return net_; }
    std::string name() const;  // "generator", "discriminator" or "classifier"
    SampleShape in() const { return in_; }
    SampleShape out() const { return root_.out; }
    const Sequence& layers() const { return root_; }
    const std::vector<std::shared_ptr<Parameter>>& parameters() const { return parameters_; }
    const std::vector<std::shared_ptr<Statistic>>& statistics() const { return statistics_; }
    Tensors values() const;  // of the parameters, leaves of the tape
    Tensors gradients() const { return places_in(flat_gradients_); }
    // Their places in a buffer of the shape of the flat ones.
    Tensors places_in(const Tensor& flat) const;

    // Whether a layer draws random numbers, so that forward() gives something else for the same input.
    bool draws() const;
    // Running statistics move by what a forward() left in its Context's `updates`: as if it were done again.
    void move_statistics(const std::vector<StatisticsUpdate>& updates) const;

    // All parameters, and all gradients, in one piece. Every parameter begins at a multiple of 64 bytes; the gaps stay zero.
    const Tensor& flat_values() const { return flat_values_; }
    const Tensor& flat_gradients() const { return flat_gradients_; }
    int64_t parameter_count() const;
    int64_t statistic_count() const;

private:
    Net net_;
    SampleShape in_;
    Device device_;
    Sequence root_;
    SampleShape other_in_;
    std::optional<Sequence> other_;  // of samples of shape other_in_
    std::vector<std::shared_ptr<Parameter>> parameters_;
    std::vector<std::shared_ptr<Statistic>> statistics_;
    Tensor flat_values_, flat_gradients_;
};

// A tensor as torch lays it out, on the host, and back.
std::vector<real> to_torch(const Tensor& value, const TransposeShape& layout);
void from_torch(const Tensor& value, const TransposeShape& layout, const std::vector<real>& data);
// Images (N,H,W,C) in torch's layout (N,C,H,W); vectors as they are.
TransposeShape image_layout(const SampleShape& sample, int64_t n);

// The layer table: one row a layer, nested ones indented, with shapes, parameters, flops and what is fused into what.
std::string summary(const Network& network);

}  // namespace gannet
