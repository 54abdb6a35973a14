// Detects by losses and samples that a GAN's training has collapsed and will not recover.
#pragma once
#include <string>

#include "engine/config/saved_state.h"
#include "engine/diagnostics/observation.h"

namespace gannet {

// Each kind of collapse is reported once. The thresholds are stated in collapse.cpp.
class CollapseAlarm {
public:
    // A training of `steps` steps.
    CollapseAlarm(const config::GanConfig& config, int64_t steps);

    // To be called with each line of the log, and each observation. Returns a description of the collapse, or "".
    std::string losses(const StepLosses& losses);
    std::string samples(int64_t step, const Spread& samples, const Spread& data);

    // The counts, for a checkpoint: an alarm restored from it reports the same at the same step.
    json::Members state() const;
    void set_state(const config::SavedState& state);

private:
    std::string saturated(const StepLosses& losses);
    std::string pinned(const StepLosses& losses);
    std::string fooled(const StepLosses& losses);

    bool cross_entropy_ = false, saturating_ = false;
    double balance_ = 0;  // D's loss if it outputs 1/2 for every image: ln 2, or twice that
    int64_t steps_;
    int64_t saturated_lines_ = 0, pinned_lines_ = 0, fooled_lines_ = 0, alike_ = 0, few_ = 0;
    double largest_gradient_ = 0;
    bool differed_ = false, were_single_ = false;
};

}  // namespace gannet
