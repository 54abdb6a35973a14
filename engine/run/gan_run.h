// A run of a GAN: also sample grids, observations, their plots and the collapse alarm.
#pragma once
#include "engine/diagnostics/collapse.h"
#include "engine/run/run.h"

namespace gannet {

class GanRun : public Run {
public:
    GanRun(GanTrainer& trainer, const RunFolder& folder, const Checkpoint* checkpoint);

private:
    const config::GanConfig& config() const { return trainer_.config(); }
    void begin() override;
    json::Members figures() override;
    std::string brief() override;
    void diagnose(bool last) override;
    void pictures(bool last) override;
    Trace new_trace() const override;
    std::string reason_to_stop() override { return reason_; }
    json::Members state() const override;

    std::vector<uint8_t> bytes_of(const Tensor& images) const;
    void write_reals();
    void write_grid();
    void write_observation();
    void check_finite(const StepLosses& losses);
    void alarm(const std::string& what);

    GanTrainer& trainer_;
    CollapseAlarm alarm_;
    int64_t sample_every_ = 1, observe_every_ = 1;
    std::optional<StepLosses> logged_;  // not yet passed to the alarm
    bool finite_ = true;
    std::string reason_;
};

}  // namespace gannet
