#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "engine/nn/network.h"

namespace gannet {
namespace {

using Row = std::vector<std::string>;

std::string scaled(double value) {
    if (value >= 1e9) return formatted("%.2f G", value / 1e9);
    if (value >= 1e6) return formatted("%.2f M", value / 1e6);
    if (value >= 1e3) return formatted("%.2f k", value / 1e3);
    return value > 0 ? formatted("%.0f", value) : "";
}

struct Totals {
    int64_t trainable = 0, buffers = 0, activations = 0;
    double flops = 0;
};

void add_rows(std::vector<Row>& rows, const Sequence& sequence, const std::string& indent, Totals& totals) {
    std::vector<std::string> fused(sequence.layers.size());
    for (const Sequence::Step& step : sequence.plan) {
        if (step.activation >= 0) {
            const auto activation = std::size_t(step.activation);
            const bool forward = !needs_input(sequence.layers[activation]->act.kind);  // otherwise a kernel of its own
            fused[activation] = (forward ? "fused into " : "backward fused into ") + sequence.layers[step.layer]->name;
        }
        if (step.moments) {
            std::string& note = fused[step.layer];
            note = "computes the batch-norm statistics";
        }
    }
    for (std::size_t i = 0; i < sequence.layers.size(); ++i) {
        const Module& layer = *sequence.layers[i];
        const Description d = layer.describe();
        int64_t trainable = 0, buffers = 0;
        for (const Variable& p : layer.parameters) trainable += p.size();
        for (const Variable& b : layer.buffers) buffers += b.size();
        rows.push_back({indent + layer.name, layer.type + (d.note.empty() ? "" : " " + d.note), layer.out.str(),
                        trainable ? grouped(trainable) : "", buffers ? grouped(buffers) : "", scaled(d.flops), fused[i]});
        totals.trainable += trainable;
        totals.buffers += buffers;
        totals.activations += layer.out.size();
        totals.flops += d.flops;
        for (const auto& child : layer.children) add_rows(rows, child.layers, indent + "  ", totals);
    }
}

}  // namespace

json::List description(const Sequence& sequence) {
    const auto list = [](const Shape& shape) { return json::List(shape.begin(), shape.end()); };
    std::vector<json::Value> fused(sequence.layers.size());
    for (const Sequence::Step& step : sequence.plan)
        if (step.activation >= 0) fused[std::size_t(step.activation)] = sequence.layers[step.layer]->name;
    const auto variables = [&](const std::vector<Variable>& all) {
        json::Members shapes;
        for (const Variable& v : all) shapes.emplace_back(v.name, list(v.torch_shape));
        return shapes;
    };
    json::List layers;
    for (std::size_t i = 0; i < sequence.layers.size(); ++i) {
        const Module& module = *sequence.layers[i];
        Description d = module.describe();
        json::Members children;
        for (const Child& child : module.children) children.emplace_back(child.name, description(child.layers));
        layers.emplace_back(json::Members{{"name", module.name},
                                          {"layer", module.type},
                                          {"attributes", std::move(d.attributes)},
                                          {"input", list(module.in.torch_shape())},
                                          {"output", list(module.out.torch_shape())},
                                          {"parameters", variables(module.parameters)},
                                          {"buffers", variables(module.buffers)},
                                          {"flops", d.flops},
                                          {"fused_into", fused[i]},
                                          {"lists", std::move(children)}});
    }
    return layers;
}

std::string summary(const Network& network) {
    std::vector<Row> rows = {{"layer", "type", "output", "trainable", "buffers", "flops", ""}};
    rows.push_back({"input", "", network.in().str(), "", "", "", ""});
    Totals totals;
    add_rows(rows, network.layers(), "", totals);
    std::vector<std::size_t> width(rows[0].size(), 0);
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool right = i >= 3 && i <= 5;  // numbers
            const std::string pad(width[i] - row[i].size(), ' ');
            line += (right ? pad + row[i] : row[i] + pad) + "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    text += network.name() + ": " + counted(totals.trainable, "trainable parameter") + " (as in PyTorch), " +
            grouped(totals.trainable + totals.buffers) + " in total with buffers such as batch-norm statistics (as in Keras); " +
            scaled(totals.flops) + " flops and " + scaled(double(totals.activations) * sizeof(real)) +
            "B of activations per sample, forward\n";
    return text;
}

}  // namespace gannet
