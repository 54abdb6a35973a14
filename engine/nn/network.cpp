#include "engine/nn/network.h"

#include <algorithm>

#include "base/error.h"

namespace gannet {
namespace {

using Parameters = std::vector<std::shared_ptr<Parameter>>;
using Statistics = std::vector<std::shared_ptr<Statistic>>;

void collect(const Sequence& sequence, Parameters& parameters, Statistics& statistics) {
    for (const Layer& layer : sequence.layers) {
        parameters.insert(parameters.end(), layer.parameters.begin(), layer.parameters.end());
        statistics.insert(statistics.end(), layer.statistics.begin(), layer.statistics.end());
        for (const auto& child : layer.children) collect(child.layers, parameters, statistics);
    }
}

bool any_draws(const Sequence& sequence) {
    return std::any_of(sequence.layers.begin(), sequence.layers.end(), [](const Layer& layer) {
        return layer.draws || std::any_of(layer.children.begin(), layer.children.end(),
                                          [](const Child& child) { return any_draws(child.layers); });
    });
}

}  // namespace

Network::Network(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
                 const config::BuildOptions& options, Device device)
    : net_(net), in_(in), device_(device) {
    BuildContext context{.net = net, .image = image, .options = options};
    root_ = build_sequence(list, name(), in, context);
    collect(root_, parameters_, statistics_);

    constexpr int64_t alignment = 64 / sizeof(real);
    std::vector<int64_t> begin;
    int64_t total = 0;
    for (const auto& p : parameters_) {
        begin.push_back(total);
        if (__builtin_add_overflow(total, (p->shape.elements() + alignment - 1) / alignment * alignment, &total))
            throw Error(name() + " has too many parameters", p->name, "lower its channels or units");
    }
    int64_t statistics = 0;
    for (const auto& s : statistics_) statistics += 2 * s->cols;
    // values, gradients and what an optimizer keeps: two more of each at the most
    const double bytes = sizeof(real) * (4 * double(total) + double(statistics)), available = double(device.available_memory());
    if (bytes > available)
        throw Error("out of memory: asked for " + std::to_string(int64_t(bytes / (1 << 20))) + " MiB for the " +
                        std::to_string(total) + " parameters of the " + name() +
                        ", their gradients and an optimizer's state, there are " +
                        std::to_string(int64_t(available / (1 << 20))) + " MiB",
                    device.name(), "lower its channels or units");
    for (const auto& s : statistics_) {
        s->value = Tensor::full({2, s->cols}, 0, device);
        RUN(device, fill(s->value.rows(1, 1).data(), real(1), s->cols, device.stream()));
    }
    flat_values_ = Tensor::full({total}, 0, device);
    flat_gradients_ = Tensor::full({total}, 0, device);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        Parameter& p = *parameters_[i];
        const int64_t n = p.shape.elements();
        p.value = flat_values_.rows(begin[i], n).view(p.shape).set_requires_grad();
        p.gradient = flat_gradients_.rows(begin[i], n).view(p.shape);
    }
}

void Network::also_take(SampleShape in, const std::vector<config::LayerConfig>& list, SampleShape image,
                        const config::BuildOptions& options) {
    BuildContext context{.net = net_, .image = image, .options = options};
    Sequence other = build_sequence(list, name(), in, context);
    Parameters parameters;
    Statistics statistics;
    collect(other, parameters, statistics);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i]->shape != parameters_[i]->shape)
            throw Error("its shape is " + parameters_[i]->shape.str() + " for samples of " + in_.str() + ", but " +
                            parameters[i]->shape.str() + " for those of " + in.str(),
                        parameters[i]->name, "use layers whose parameters do not depend on the size");
        parameters[i]->value = parameters_[i]->value;
        parameters[i]->gradient = parameters_[i]->gradient;
    }
    for (std::size_t i = 0; i < statistics.size(); ++i) statistics[i]->value = statistics_[i]->value;
    if (other.out != root_.out)
        throw Error(
            "the " + name() + " makes " + root_.out.str() + " of " + in_.str() + ", but " + other.out.str() + " of " + in.str(),
            name(), "end it in a layer that makes one score of both");
    other_in_ = in;
    other_ = std::move(other);
}

std::string Network::name() const {
    static constexpr const char* names[] = {"generator", "discriminator", "classifier"};
    return names[std::size_t(net_)];
}

void Network::initialise(uint64_t seed) {
    const DeviceValue<Counters> start(device_);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const Parameter& p = *parameters_[i];
        const RandomKey key{seed, streams::initial(net_, int(i)), 0};
        const DrawShape shape{0, 1, p.value.size()};
        const real a = real(p.init.a), b = real(p.init.b);
        switch (p.init.kind) {
            case Init::Kind::constant: RUN(device_, fill(p.value.data(), a, p.value.size(), device_.stream())); break;
            case Init::Kind::uniform:
                RUN(device_, uniform(p.value.data(), start.data(), key, shape, a, b, device_.stream()));
                break;
            case Init::Kind::normal:
                RUN(device_, normal(p.value.data(), start.data(), key, shape, a, b, device_.stream()));
                break;
        }
    }
}

Tensor Network::forward(const Tensor& x, const Context& context) const {
    std::vector<StatisticsUpdate> updates;
    Context with_updates = context;
    if (!context.updates) with_updates.updates = &updates;
    const bool other = other_ && x.shape() == other_in_.batch(x.dim(0));
    const Tensor y = (other ? *other_ : root_).forward(x, with_updates);
    move_statistics(*with_updates.updates);
    return y;
}

void Network::move_statistics(const std::vector<StatisticsUpdate>& updates) const {
    std::vector<RunningStats> stats;
    for (const StatisticsUpdate& u : updates) stats.push_back(u.stats);
    for (std::size_t i = 0; i < stats.size(); i += std::size_t(most_running_stats))
        RUN(device_, running_stats_update(&stats[i], std::min(most_running_stats, int64_t(stats.size() - i)), device_.stream()));
}

bool Network::draws() const { return any_draws(root_); }

Tensors Network::values() const {
    Tensors result;
    for (const auto& p : parameters_) result.push_back(p->value);
    return result;
}

Tensors Network::places_in(const Tensor& flat) const {
    Tensors places;
    for (const auto& p : parameters_)
        places.push_back(flat.rows(p->value.data() - flat_values_.data(), p->value.size()).view(p->shape));
    return places;
}

int64_t Network::parameter_count() const {
    int64_t n = 0;
    for (const auto& p : parameters_) n += p->value.size();
    return n;
}

int64_t Network::statistic_count() const {
    int64_t n = 0;
    for (const auto& s : statistics_) n += s->value.size();
    return n;
}

std::vector<real> to_torch(const Tensor& value, const TransposeShape& layout) {
    const std::vector<real> inside = value.to_host();
    std::vector<real> outside(inside.size());
    for (int64_t b = 0; b < layout.batch; ++b)
        for (int64_t i = 0; i < layout.rows; ++i)
            for (int64_t j = 0; j < layout.cols; ++j)
                outside[std::size_t((b * layout.cols + j) * layout.rows + i)] =
                    inside[std::size_t((b * layout.rows + i) * layout.cols + j)];
    return outside;
}

void from_torch(const Tensor& value, const TransposeShape& layout, const std::vector<real>& data) {
    std::vector<real> inside(data.size());
    for (int64_t b = 0; b < layout.batch; ++b)
        for (int64_t i = 0; i < layout.rows; ++i)
            for (int64_t j = 0; j < layout.cols; ++j)
                inside[std::size_t((b * layout.rows + i) * layout.cols + j)] =
                    data[std::size_t((b * layout.cols + j) * layout.rows + i)];
    value.device().copy_from_host(value.raw(), inside.data(), inside.size() * sizeof(real));
}

TransposeShape image_layout(const SampleShape& sample, int64_t n) {
    return sample.vector ? TransposeShape{1, 1, n * sample.size()} : TransposeShape{n, sample.H * sample.W, sample.C};
}

}  // namespace gannet
