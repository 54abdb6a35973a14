#include "engine/nn/network.h"

#include <algorithm>

#include "base/error.h"

namespace gannet {
namespace {

using Variables = std::vector<const Variable*>;

void collect(const Sequence& sequence, Variables& parameters, Variables& buffers) {
    for_each_module(sequence, [&](const Module& module) {
        for (const Variable& v : module.parameters) parameters.push_back(&v);
        for (const Variable& v : module.buffers) buffers.push_back(&v);
    });
}

// Throws unless the same network for samples of another shape has the same parameters.
void need_same(const Variables& ours, const Variables& others, SampleShape in, SampleShape other_in) {
    for (std::size_t i = 0; i < ours.size(); ++i)
        if (others[i]->shape != ours[i]->shape)
            throw Error("its shape is " + ours[i]->shape.str() + " for samples of " + in.str() + ", but " +
                            others[i]->shape.str() + " for those of " + other_in.str(),
                        ours[i]->name, "use layers whose parameters do not depend on the size");
}

}  // namespace

Network::Network(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
                 const config::BuildOptions& options, Device device)
    : net_(net), in_(in), device_(device) {
    BuildContext context{.net = net, .image = image, .options = options};
    root_ = build_sequence(list, name(), in, context);
    collect(root_, parameters_, buffers_);

    const int64_t total = context.parameters.size, buffers = context.buffers.size;
    // values, gradients and the optimizer's state: at most two more of each
    const double bytes = sizeof(real) * (4 * double(total) + double(buffers)), available = double(device.available_memory());
    if (bytes > available)
        throw Error("out of memory: asked for " + std::to_string(int64_t(bytes / (1 << 20))) + " MiB for the " +
                        std::to_string(total) + " parameters of the " + name() +
                        ", their gradients and an optimizer's state, but only " + std::to_string(int64_t(available / (1 << 20))) +
                        " MiB are free",
                    device.name(), "give the program more memory, or lower its channels or units");
    flat_values_ = Tensor::full({total}, 0, device);
    flat_gradients_ = Tensor::full({total}, 0, device);
    flat_buffers_ = Tensor::full({buffers}, 0, device);
    values_ = parameters_in(flat_values_);
    for (Tensor& value : values_) value.set_requires_grad();
    gradients_ = parameters_in(flat_gradients_);
}

void Network::also_take(SampleShape in, const std::vector<config::LayerConfig>& list, SampleShape image,
                        const config::BuildOptions& options) {
    BuildContext context{.net = net_, .image = image, .options = options};
    Sequence other = build_sequence(list, name(), in, context);
    Variables parameters, buffers;
    collect(other, parameters, buffers);
    need_same(parameters_, parameters, in_, in);
    need_same(buffers_, buffers, in_, in);
    if (other.out != root_.out)
        throw Error("the " + name() + " outputs " + root_.out.str() + " for " + in_.str() + ", but " + other.out.str() + " for " +
                        in.str(),
                    name(), "end it in a layer that gives one score for both");
    other_in_ = in;
    other_ = std::move(other);
}

void Network::initialise(uint64_t seed) {
    const DeviceValue<Counters> start(device_);
    const auto begin = [&](const Variable& v, const Tensor& flat, uint32_t stream) {
        const Tensor value = v.in(flat);
        const RandomKey key{seed, stream, 0};
        const DrawShape shape{0, 1, v.size()};
        const real a = real(v.init.a), b = real(v.init.b);
        switch (v.init.kind) {
            case Init::Kind::constant: RUN(device_, fill, value.data(), a, value.size()); break;
            case Init::Kind::uniform: RUN(device_, uniform, value.data(), start.data(), key, shape, a, b); break;
            case Init::Kind::normal: RUN(device_, normal, value.data(), start.data(), key, shape, a, b); break;
        }
    };
    for (const Variable* p : parameters_) begin(*p, flat_values_, streams::initial(net_, int(p->index)));
    for (const Variable* b : buffers_) begin(*b, flat_buffers_, streams::initial_buffer(net_, int(b->index)));
}

Tensor Network::forward(const Inputs& inputs, const Pass& given) const {
    std::vector<BufferUpdate> updates;
    Pass pass = given;
    if (const Device& on = inputs.x.device(); on.backend() != device_.backend() || &on.hardware() != &device_.hardware())
        throw Error("its input is on " + on.name() + ", its parameters are on " + device_.name(), name(),
                    "create the input on the network's device");
    if (!pass.parameters) pass.parameters = &values_;
    if (!pass.buffers) pass.buffers = &flat_buffers_;
    if (!pass.updates) pass.updates = &updates;
    const bool other = other_ && inputs.x.shape() == other_in_.batch(inputs.x.dim(0));
    const Tensor y = (other ? *other_ : root_).forward(inputs, pass);
    update_buffers(*pass.updates);
    return y;
}

void Network::update_buffers(const std::vector<BufferUpdate>& updates) const {
    std::vector<RunningStats> stats;
    for (const BufferUpdate& u : updates)
        if (u.running) stats.push_back(*u.running);
        else RUN(device_, copy, u.buffer.data(), u.value.data(), u.buffer.size());
    for (std::size_t i = 0; i < stats.size(); i += std::size_t(most_running_stats))
        RUN(device_, running_stats_update, &stats[i], std::min(most_running_stats, int64_t(stats.size() - i)));
}

Traits Network::traits() const {
    Traits all;
    for_each_module(root_, [&](const Module& module) {
        all.couples_samples |= module.traits.couples_samples;
        all.stochastic |= module.traits.stochastic;
    });
    return all;
}

Tensors Network::parameters_in(const Tensor& flat) const {
    Tensors parts;
    for (const Variable* p : parameters_) parts.push_back(p->in(flat));
    return parts;
}

int64_t Network::parameter_count() const {
    int64_t n = 0;
    for (const Variable* p : parameters_) n += p->size();
    return n;
}

void to_torch(const Tensor& value, const TransposeShape& layout, const std::function<void(const real*, std::size_t)>& take) {
    constexpr std::size_t most = std::size_t(1) << 18;  // values at once
    const std::vector<real> copy = value.device().is_cuda() ? value.to_host() : std::vector<real>();
    const real* from = value.device().is_cuda() ? copy.data() : value.data();
    if (value.size() == 0) return;
    if (layout.rows == 1 || layout.cols == 1) return take(from, std::size_t(value.size()));
    std::vector<real> piece;
    piece.reserve(std::min(most, std::size_t(value.size())));
    for (int64_t b = 0; b < layout.batch; ++b)
        for (int64_t j = 0; j < layout.cols; ++j)
            for (int64_t i = 0; i < layout.rows; ++i) {
                piece.push_back(from[(b * layout.rows + i) * layout.cols + j]);
                if (piece.size() < most) continue;
                take(piece.data(), piece.size());
                piece.clear();
            }
    if (!piece.empty()) take(piece.data(), piece.size());
}

FromTorch::FromTorch(const Tensor& value, const TransposeShape& layout) : value_(value), layout_(layout) {
    if (value.device().is_cuda()) staged_.resize(std::size_t(value.size()));
    to_ = value.device().is_cuda() ? staged_.data() : value_.data();
}

void FromTorch::take(const real* values, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) {
        to_[(batch_ * layout_.rows + row_) * layout_.cols + col_] = values[k];
        if (++row_ < layout_.rows) continue;
        row_ = 0;
        if (++col_ < layout_.cols) continue;
        col_ = 0, ++batch_;
    }
}

void FromTorch::finish() {
    if (!staged_.empty()) value_.device().copy_from_host(value_.raw(), staged_.data(), staged_.size() * sizeof(real));
}

TransposeShape image_layout(const SampleShape& sample, int64_t n) {
    return sample.vector ? TransposeShape{1, 1, n * sample.size()} : TransposeShape{n, sample.H * sample.W, sample.C};
}

}  // namespace gannet
