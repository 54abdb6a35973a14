// A module: one layer of a network, with typed attributes, the places of its parameters and buffers, and a forward pass. Values
// are passed to forward(), so the same module works with the trained values or with an average of them.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/autograd/ops.h"
#include "engine/nn/spec.h"
#include "engine/tensor/random.h"
#include "kernels/place.h"

namespace gannet {

// The shape of one sample: an image (H,W,C) or a vector of C features.
struct SampleShape {
    int64_t H = 1, W = 1, C = 1;
    bool vector = false;
    int64_t size() const;  // throws on overflow of 63 bits
    Shape batch(int64_t n) const { return vector ? Shape{n, C} : Shape{n, H, W, C}; }
    Shape torch_shape() const { return vector ? Shape{C} : Shape{C, H, W}; }
    std::string str() const;  // "(C, H, W)" as everywhere outside the program, or "(F)"
    bool operator==(const SampleShape&) const = default;
};

// An initial value.
struct Init {
    enum class Kind { constant, uniform, normal } kind = Kind::constant;
    double a = 0, b = 0;  // constant a; uniform on (a, b); normal with mean a and standard deviation b
};

// A tensor of a module: a parameter, which is learned, or a buffer, which its module updates (running statistics). Its value is a
// part of a flat tensor of all parameters, or all buffers, of the network. In memory it is stored channels-last; in checkpoints
// and traces as in torch, which for (batch, spatial, channels) is (batch, channels, spatial).
struct Variable {
    std::string name;   // "generator.3.weight"
    Shape shape;        // inside
    Shape torch_shape;  // outside
    TransposeShape layout;
    Init init;
    bool nonnegative = false;  // a square root is taken of it
    std::size_t index = 0;     // among the network's parameters or buffers
    int64_t offset = 0;        // in the flat tensor
    int64_t size() const { return shape.elements(); }
    Tensor in(const Tensor& flat) const { return flat.rows(offset, size()).view(shape); }
};

// An update of a buffer: its new value or, with `running`, the moments of a batch that move its running statistics.
struct BufferUpdate {
    Tensor buffer, value;
    std::optional<RunningStats> running = {};
};

class Module;
struct Pass;

// Observes the values that pass through a network.
class PassObserver {
public:
    virtual ~PassObserver() = default;
    // The output of a module. Of two fused modules only the second one is reported.
    virtual void output(const Module&, const Tensor&) {}
    // The mask of a dropout (1 = kept), computed on request.
    virtual void mask(const Module&, const Pass&, const std::function<Tensor()>&) {}
};

struct Inputs {
    Tensor x;
    Tensor labels = {};  // (N); empty if nothing depends on them
};

// The arguments of a pass through a network other than its inputs.
struct Pass {
    bool training = true;        // batch statistics and dropout
    bool update_buffers = true;  // running statistics advance (training only)
    // the key of random draws
    Role role = Role::fake;
    uint32_t update = 0;       // within the step
    int64_t first_sample = 0;  // of this batch within the update
    uint64_t seed = 0;
    DeviceAddress<Counters> counters = {};
    // the values of the parameters by their index, and the flat buffers; null: the network's own
    const Tensors* parameters = nullptr;
    const Tensor* buffers = nullptr;
    // modules add updates of their buffers here; Network::forward applies them at its end, those of running statistics in one
    // launch. A caller that gives its own vector can apply them again. In training, the tape must not keep a view of a buffer,
    // but a copy
    std::vector<BufferUpdate>* updates = nullptr;
    PassObserver* observer = nullptr;
};

// The operations of neighbours that are fused into a module.
struct Fused {
    Activation act;                 // at the end
    Tensor* moments_out = nullptr;  // needed by the batch norm that follows
    Tensor moments_in;              // computed by the module before
};

// A sequence of modules, and the plan of how neighbours are fused.
struct Sequence {
    struct Step {
        std::size_t layer;
        int activation = -1;   // the index of the activation that is fused into it
        bool moments = false;  // its epilogue computes the moments for the batch norm that follows
    };
    std::vector<std::unique_ptr<const Module>> layers;
    std::vector<Step> plan;
    SampleShape out;
    Tensor forward(const Inputs& inputs, const Pass& pass) const;
};

// A list inside a module: "main", "shortcut".
struct Child {
    std::string name;
    Sequence layers;
};

// The running totals of a network's parameters and buffers while it is built.
struct FlatLayout {
    std::size_t count = 0;
    int64_t size = 0;
};

// Shared by the modules of a network while they are built.
struct BuildContext {
    Net net;
    SampleShape image;  // the meaning of the size "image"
    const config::BuildOptions& options;
    int leaf = 0;  // running number of modules, for dropout's streams
    FlatLayout parameters = {}, buffers = {};
};

struct LayerKind;

// The inputs of a module's constructor.
struct Site {
    const LayerKind& kind;
    std::string name;
    SampleShape in;
    const config::LayerConfig& config;
    BuildContext& context;
    const config::Object& keys() const { return config.keys; }
    // A size; `image` if it is "image".
    int64_t size_or(const std::string& key, int64_t image) const { return keys().is_image(key) ? image : keys().integer(key); }
};

// The description of a module, other than its name, shapes, variables and traits.
struct Description {
    json::Members attributes = {};  // by the names of the model file's keys, computed: never "image"
    std::string note = {};          // the attributes that the summary shows
    double flops = 0;               // per sample, forward: multiplications and additions of matrix products and convolutions
    // Values per sample that its kernels read and write, without parameters and without fused neighbours. A matrix product or
    // convolution has the same number in each of its passes.
    double forward_values = 0, backward_values = 0;
};

class Module {
public:
    explicit Module(const Site& site);  // the output has the shape of the input, unless a constructor changes it
    virtual ~Module() = default;
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    virtual Tensor forward(const Inputs& inputs, const Pass& pass, const Fused& fused) const = 0;
    virtual Description describe() const = 0;

    std::string type, name;  // "conv2d", "generator.3"
    const StepPart* place;   // "generator.3 conv2d", for errors and profilers
    SampleShape in, out;
    std::vector<Variable> parameters, buffers;
    std::vector<Child> children;
    Traits traits;   // those of its kind, unless its attributes change them
    Activation act;  // of a plain activation

protected:
    // Every parameter starts at a multiple of 64 bytes, and so does the first buffer of a module; its others follow without gaps.
    void add_parameter(const Site& site, const std::string& name, Shape shape, Shape torch_shape, TransposeShape layout,
                       Init init);
    void add_buffer(const Site& site, const std::string& name, Shape shape, Shape torch_shape, TransposeShape layout, Init init,
                    bool nonnegative = false);
    // The value of parameter number `i` in a pass; empty if it does not exist.
    Tensor parameter(const Pass& pass, std::size_t i) const {
        return i < parameters.size() ? (*pass.parameters)[parameters[i].index] : Tensor();
    }
    Tensor buffer(const Pass& pass, std::size_t i) const { return buffers[i].in(*pass.buffers); }
    void need_vector(const Site& site) const;  // throws unless the input is a vector
};

// One kind of layer: its keys and its module. registry.cpp lists them all.
struct LayerKind {
    config::ObjectSpec spec;
    Traits traits;
    std::unique_ptr<const Module> (*make)(const Site&) = nullptr;  // null for lists that are expanded before building
};

template <class M>
std::unique_ptr<const Module> make_module(const Site& site) {
    return std::make_unique<M>(site);
}

// Builds a list of layers for samples of shape `in`. `prefix` is "generator" or "generator.3.main".
Sequence build_sequence(const std::vector<config::LayerConfig>& list, const std::string& prefix, SampleShape in,
                        BuildContext& context);

// Calls `f` for every module; modules inside a module come after it.
template <class F>
void for_each_module(const Sequence& sequence, const F& f) {
    for (const auto& module : sequence.layers) {
        f(*module);
        for (const Child& child : module->children) for_each_module(child.layers, f);
    }
}

std::string name_of(Net net);  // "generator"
// Turns a vector of F into an image 1x1xF.
SampleShape as_image(const SampleShape& in);

}  // namespace gannet
