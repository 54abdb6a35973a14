#include "engine/network/network.h"

#include <algorithm>

#include "kernels/error.h"

namespace gannet {

Network::Network(Net net, const std::vector<config::LayerConfig>& list, SampleShape in, SampleShape image,
                 const config::ModelConfig& config, Device device)
    : net_(net), in_(in), device_(device) {
    BuildContext context{.net = net, .image = image, .config = config, .device = device};
    root_ = build_sequence(list, name(), in, context);
    collect(root_);

    constexpr int64_t alignment = 64 / sizeof(real);
    std::vector<int64_t> begin;
    int64_t total = 0;
    for (const auto& p : parameters_) {
        begin.push_back(total);
        if (__builtin_add_overflow(total, (p->shape.elements() + alignment - 1) / alignment * alignment, &total))
            throw Error(name() + " has too many parameters", p->name, "lower its channels or units");
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

void Network::collect(const Sequence& sequence) {
    for (const Layer& layer : sequence.layers) {
        parameters_.insert(parameters_.end(), layer.parameters.begin(), layer.parameters.end());
        statistics_.insert(statistics_.end(), layer.statistics.begin(), layer.statistics.end());
        for (const auto& child : layer.children) collect(child.layers);
    }
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
    with_updates.updates = &updates;
    const Tensor y = root_.forward(x, with_updates);
    std::vector<RunningStats> stats;
    for (const StatisticsUpdate& u : updates) stats.push_back(u.stats);
    for (std::size_t i = 0; i < stats.size(); i += std::size_t(most_running_stats))
        RUN(device_, running_stats_update(&stats[i], std::min(most_running_stats, int64_t(stats.size() - i)), device_.stream()));
    return y;
}

Tensors Network::values() const {
    Tensors result;
    for (const auto& p : parameters_) result.push_back(p->value);
    return result;
}

Tensors Network::gradients() const {
    Tensors result;
    for (const auto& p : parameters_) result.push_back(p->gradient);
    return result;
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
