// Says when a training has gone where GANs do not come back from, by its losses and by its samples.
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

    // To be called with each line of the log, and each observation. Returns what has happened; empty while all is well.
    std::string losses(const StepLosses& losses);
    std::string samples(int64_t step, const Spread& samples, const Spread& data);

    // What has been counted, for a checkpoint: an alarm that continues from it reports the same at the same step.
    json::Members state() const;
    void set_state(const config::SavedState& state);

private:
    std::string saturated(const StepLosses& losses);
    std::string pinned(const StepLosses& losses);
    std::string fooled(const StepLosses& losses);

    bool cross_entropy_ = false, saturating_ = false;
    double balance_ = 0;  // D's loss where it tells nothing apart: ln 2, or twice that
    int64_t steps_;
    int64_t saturated_lines_ = 0, pinned_lines_ = 0, fooled_lines_ = 0, alike_ = 0, few_ = 0;
    double largest_gradient_ = 0;
    bool differed_ = false, were_single_ = false;
};

}  // namespace gannet
