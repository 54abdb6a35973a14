#include "engine/diagnostics/collapse.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace gannet {
namespace {

// The number of consecutive log lines that an alarm needs: 2 % of a run of usual length.
constexpr int lines_in_a_row = 20;
// Thresholds of a saturated discriminator: its loss, and the generator's loss -ln D(G(z)) for D(G(z)) < 5e-5.
constexpr double certain = 1e-3, exploded = 10;
// Thresholds of "D outputs 1/2 for every image": |loss - ln 2|, and the norm of G's gradient relative to its maximum so far.
constexpr double near_balance = 2e-3, vanished = 0.02;
// Samples count as one image if their mean distance is below this share of the data's. Healthy runs start like this, too. So an
// alarm requires that the samples have differed, or that this share of the run is over.
constexpr double one_image = 0.1, several_images = 0.3, share_to_begin = 0.25;
// The ratio (nearest-neighbour distance / mean distance) of the samples, relative to that of the data: 0.03 in a run that made
// six images (data alone: 0.69), at least 0.35 in 29 healthy runs.
constexpr double near_duplicates = 0.15, single_images = 0.5;
constexpr int observations_in_a_row = 3;

// Counts how often in a row `now` was true. Returns true once, when the count reaches `enough`.
bool counts_to(int64_t& count, bool now, int enough) {
    if (count > enough) return false;
    count = now ? count + 1 : 0;
    if (count < enough) return false;
    count = enough + 1;
    return true;
}

}  // namespace

CollapseAlarm::CollapseAlarm(const config::GanConfig& config, int64_t steps) : steps_(steps) {
    const Objective& o = config.objective;
    cross_entropy_ = o.loss->cross_entropy && o.on_real.target == 1 && o.on_fake.target == 0;
    saturating_ = o.saturating;
    balance_ = std::log(2.0) * (o.mean_of_parts ? 1 : 2);
}

std::string CollapseAlarm::saturated(const StepLosses& l) {
    // the gradient of the saturating loss has the factor D(G(z)), so it vanishes when the loss does
    const bool beyond = saturating_ || l.loss_g > exploded;
    if (!counts_to(saturated_lines_, l.loss_d < certain && beyond, lines_in_a_row)) return "";
    if (saturating_)
        return formatted("the discriminator has saturated (loss_d %.4f), and the generator's gradient has vanished (norm %.1e)",
                         l.loss_d, l.grad_norm_g);
    return formatted("the discriminator has saturated (loss_d %.4f), and the generator's loss explodes (loss_g %.1f)", l.loss_d,
                     l.loss_g);
}

std::string CollapseAlarm::pinned(const StepLosses& l) {
    largest_gradient_ = std::max(largest_gradient_, l.grad_norm_g);
    const double ln2 = std::log(2.0);
    const bool now = std::abs(l.loss_d - balance_) < near_balance && std::abs(std::abs(l.loss_g) - ln2) < near_balance &&
                     l.grad_norm_g <= vanished * largest_gradient_;
    if (!counts_to(pinned_lines_, now, lines_in_a_row)) return "";
    return formatted(
        "both losses are pinned at ln 2 (loss_d %.4f, loss_g %.4f) and the generator's gradient has vanished (norm %.1e)",
        l.loss_d, l.loss_g, l.grad_norm_g);
}

// The opposite of a saturated discriminator: it accepts whatever the generator makes, so training has ended here, too.
std::string CollapseAlarm::fooled(const StepLosses& l) {
    if (!counts_to(fooled_lines_, !saturating_ && l.loss_g < certain && l.loss_d > exploded, lines_in_a_row)) return "";
    return formatted(
        "the discriminator classifies every image as real (loss_d %.1f, loss_g %.4f): the generator cannot learn from it",
        l.loss_d, l.loss_g);
}

std::string CollapseAlarm::losses(const StepLosses& l) {
    if (!cross_entropy_) return "";
    for (const std::string& what : {saturated(l), pinned(l), fooled(l)})
        if (!what.empty()) return what;
    return "";
}

std::string CollapseAlarm::samples(int64_t step, const Spread& samples, const Spread& data) {
    if (!(data.distance > 0)) return "";  // a batch of one has no distances
    const double share = samples.distance / data.distance;
    differed_ = differed_ || share > several_images;
    const bool begun = double(step) >= share_to_begin * double(steps_);
    if (counts_to(alike_, (differed_ || begun) && share < one_image, observations_in_a_row))
        return formatted("mode collapse: the samples are all alike (mean distance is %.1f %% of the data's)", 100 * share);
    if (samples.distance <= 0 || data.nearest <= 0) return "";
    const double ratio = samples.nearest / samples.distance / (data.nearest / data.distance);
    were_single_ = were_single_ || ratio > single_images;
    const bool few = (were_single_ || begun) && share >= one_image && ratio < near_duplicates;
    if (!counts_to(few_, few, observations_in_a_row)) return "";
    return formatted("mode collapse: the samples repeat a few images (nearest-neighbour distance is %.1f %% of the data's)",
                     100 * samples.nearest / data.nearest);
}

json::Members CollapseAlarm::state() const {
    return {{"saturated_lines", saturated_lines_},
            {"pinned_lines", pinned_lines_},
            {"fooled_lines", fooled_lines_},
            {"alike", alike_},
            {"few", few_},
            {"largest_gradient", largest_gradient_},
            {"differed", differed_},
            {"were_single", were_single_}};
}

void CollapseAlarm::set_state(const config::SavedState& state) {
    saturated_lines_ = state.integer("saturated_lines");
    pinned_lines_ = state.integer("pinned_lines");
    fooled_lines_ = state.integer("fooled_lines");
    alike_ = state.integer("alike");
    few_ = state.integer("few");
    largest_gradient_ = state.number("largest_gradient");
    differed_ = state.boolean("differed");
    were_single_ = state.boolean("were_single");
}

}  // namespace gannet
