#include "engine/metrics/classes.h"

#include <cmath>

namespace gannet {

ClassFigures class_figures(const std::vector<int64_t>& labels, int64_t classes) {
    std::vector<int64_t> counts(std::size_t(classes), 0);
    for (const int64_t label : labels) ++counts[std::size_t(label)];
    ClassFigures out;
    for (const int64_t count : counts) {
        const double share = double(count) / double(labels.size());
        out.shares.push_back(share);
        out.modes += share >= mode_share ? 1 : 0;
        if (count > 0) out.entropy -= share * std::log(share);
    }
    return out;
}

}  // namespace gannet
