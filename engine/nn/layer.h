// A layer is a builder: config and input shape in, {forward, parameters, output shape} out.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/autograd/ops.h"
#include "engine/nn/spec.h"
#include "engine/tensor/random.h"

namespace gannet {

// The shape of one sample: an image (H,W,C) or a vector of C features.
struct SampleShape {
    int64_t H = 1, W = 1, C = 1;
    bool vector = false;
    int64_t size() const;  // throws if it does not fit in 63 bits
    Shape batch(int64_t n) const { return vector ? Shape{n, C} : Shape{n, H, W, C}; }
    std::string str() const;  // "(C, H, W)" as everywhere outside the program, or "(F)"
    bool operator==(const SampleShape&) const = default;
};

// The initial value of a parameter.
struct Init {
    enum class Kind { constant, uniform, normal } kind = Kind::constant;
    double a = 0, b = 0;  // constant a; uniform on (a, b); normal with mean a and standard deviation b
};

// A learned tensor. The network gives it its place in the flat buffer. Inside it is stored channels-last; outside (in
// checkpoints and traces) as torch has it, which for (batch, spatial, channels) is (batch, channels, spatial).
struct Parameter {
    std::string name;   // "generator.3.weight"
    Shape shape;        // inside
    Shape torch_shape;  // outside
    TransposeShape layout;
    Init init;
    Tensor value, gradient;  // views of the network's flat buffers
};

// State that is not learned: running statistics, (2, cols): mean, variance.
struct Statistic {
    std::string mean_name, var_name;
    int64_t cols = 0;
    Tensor value;  // made by the network, as mean 0 and variance 1
};

// What a pass through a network needs besides its input.
struct StatisticsUpdate {
    RunningStats stats;
    Tensor moments;  // keeps them
};

struct Context {
    bool training = true;           // batch statistics and dropout
    bool update_statistics = true;  // running statistics advance (training only)
    Net net = Net::generator;
    Role role = Role::fake;
    uint32_t update = 0;       // within the step
    int64_t first_sample = 0;  // of this batch within the update
    uint64_t seed = 0;
    const Counters* counters = nullptr;
    // where layers leave their running statistics to be moved, all in one launch at the end of Network::forward; a caller that
    // gives its own vector can move them again
    std::vector<StatisticsUpdate>* updates = nullptr;
    // called with a layer's name and its dropout mask (1 = kept), for traces
    std::function<void(const std::string&, const Tensor&)> on_mask;
    // called with what leaves each layer, and its place; of a fused pair the second one's
    std::function<void(const char*, const Tensor&)> on_output;
};

// What the layers around have fused into this one.
struct Fused {
    Activation act;                 // at the end
    Tensor* moments_out = nullptr;  // wanted by the batch norm that follows
    Tensor moments_in;              // made by the layer before
};

struct Layer;

// Layers one after the other, and the plan of how neighbours are fused.
struct Sequence {
    struct Step {
        std::size_t layer;
        int activation = -1;   // the index of the activation that is fused into it
        bool moments = false;  // its epilogue makes the moments for the batch norm that follows
    };
    std::vector<Layer> layers;
    std::vector<Step> plan;
    SampleShape out;
    Tensor forward(Tensor x, const Context& context) const;
};

// A list inside a layer: "main", "shortcut".
struct Child {
    std::string name;
    Sequence layers;
};

struct Layer {
    std::string type, name;       // "conv2d", "generator.3"
    const char* place = nullptr;  // "generator.3 conv2d", for errors and profilers
    SampleShape in, out;
    std::vector<std::shared_ptr<Parameter>> parameters;
    std::vector<std::shared_ptr<Statistic>> statistics;
    std::function<Tensor(const Tensor& x, const Context&, const Fused&)> forward;
    Activation act;  // of a plain activation layer
    std::vector<Child> children;
    std::string note;    // "4x4 stride 2", for the summary
    bool draws = false;  // random numbers, so that the same input gives another output
    double flops = 0;    // per sample, forward: multiplications and additions of matmuls and convolutions
};

// What builders share: where they are, what "image" means, defaults, running numbers.
struct BuildContext {
    Net net;
    SampleShape image;
    const config::BuildOptions& options;
    int leaf = 0;  // running number of layers, for dropout's streams
};

// Builds a list of layers for samples of shape `in`. `prefix` is "generator" or "generator.3.main".
Sequence build_sequence(const std::vector<config::LayerConfig>& list, const std::string& prefix, SampleShape in,
                        BuildContext& context);

// One kind of layer: its keys and its builder. registry.cpp lists them all.
struct LayerKind {
    config::ObjectSpec spec;
    // `layer` comes with type, name and in filled; the builder does the rest.
    void (*build)(Layer& layer, const config::LayerConfig& config, BuildContext& context) = nullptr;
};

// ---- for builders ---------------------------------------------------------------------------------------------------
std::shared_ptr<Parameter> add_parameter(Layer& layer, const std::string& name, Shape shape, Shape torch_shape,
                                         TransposeShape layout, Init init);
// The rule `kind` ("torch", "normal", "glorot_uniform", ...) for weights with these fans.
Init weight_init(const std::string& kind, double fan_in, double fan_out, double std);
Init bias_init(const std::string& kind, double fan_in);
// A size that may be "image": `image` then.
int64_t size_or(const config::Object& keys, const std::string& key, int64_t image);
// Throws unless the layer's input is a vector / turns a vector of F into an image 1x1xF.
void need_vector(const Layer& layer, const config::LayerConfig& config);
SampleShape as_image(const SampleShape& in);

}  // namespace gannet
