// A network: a tree of layers over one flat buffer of parameters and one of gradients.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace gannet {

class Network {
public:
    // `in` is the shape of one sample. Parameters and buffers are zero until initialise() or a checkpoint fills them.
    Network(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
            const config::BuildOptions& options, Device device);
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    // Lets forward() also take samples of another shape, with the same layers and parameters and the shapes inferred for `in`.
    // Throws Error if the layers do not fit or the shape of a parameter depends on that of the sample.
    void also_take(SampleShape in, const std::vector<config::LayerConfig>& list, SampleShape image,
                   const config::BuildOptions& options);

    // Initial values: pure functions of (seed, network, number of the parameter or buffer, element).
    void initialise(uint64_t seed);

    // Uses the network's own values, unless the pass has others.
    Tensor forward(const Inputs& inputs, const Pass& pass) const;

    Net net() const { return net_; }
    std::string name() const { return name_of(net_); }
    const Device& device() const { return device_; }
    SampleShape in() const { return in_; }
    SampleShape out() const { return root_.out; }
    const Sequence& layers() const { return root_; }
    const std::vector<const Variable*>& parameters() const { return parameters_; }
    const std::vector<const Variable*>& buffers() const { return buffers_; }
    // Values and gradients of the parameters, by their index. The values are leaves of the tape, and the same tensors in every
    // call.
    const Tensors& values() const { return values_; }
    const Tensors& gradients() const { return gradients_; }
    // Views of the parameters in a flat tensor like flat_values().
    Tensors parameters_in(const Tensor& flat) const;

    // The traits of its modules that apply to the whole network: couples_samples, stochastic.
    Traits traits() const;
    // Re-applies the updates that an earlier forward() collected in its Pass's `updates`.
    void update_buffers(const std::vector<BufferUpdate>& updates) const;

    // All parameters, all gradients and all buffers, each in one flat tensor. Padding stays zero.
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

// Gives the values of a tensor in torch's layout, piece by piece. A CPU's values are not copied, except some at once.
void to_torch(const Tensor& value, const TransposeShape& layout, const std::function<void(const real*, std::size_t)>& take);

// The reverse: a tensor takes its values in torch's layout, in the order of the pieces.
class FromTorch {
public:
    FromTorch(const Tensor& value, const TransposeShape& layout);
    void take(const real* values, std::size_t count);
    void finish();  // once it has all

private:
    Tensor value_;
    TransposeShape layout_;
    std::vector<real> staged_;  // of a GPU
    real* to_;
    int64_t batch_ = 0, row_ = 0, col_ = 0;  // of the next value
};
// Converts images (N,H,W,C) to torch's layout (N,C,H,W); vectors are unchanged.
TransposeShape image_layout(const SampleShape& sample, int64_t n);

// The layer table: one row per layer, nested ones indented, with shapes, parameters, flops and fused layers.
std::string summary(const Network& network);
// The same for programs, as a list: each module's description, its variables in torch's shapes, and the layer it is fused into.
json::List description(const Sequence& sequence);

}  // namespace gannet
