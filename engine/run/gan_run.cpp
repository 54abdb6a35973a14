// A run of a GAN: also sample grids, observations, their plots and the collapse alarm.
#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/format.h"
#include "base/image.h"
#include "engine/config/saved_state.h"
#include "engine/diagnostics/collapse.h"
#include "engine/diagnostics/plots.h"
#include "engine/run/run.h"

namespace gannet {
namespace {

// On a CPU an observation takes less than a step (vanilla.json: 13.5 ms of one thread), so at this interval it takes less than 2
// % of the time. Not measured on a GPU.
constexpr int64_t least_apart = 100;

class GanRun : public Run {
public:
    GanRun(GanTrainer& trainer, const RunFolder& folder, const Checkpoint* checkpoint)
        : Run(trainer, folder, checkpoint), trainer_(trainer), alarm_(trainer.config(), total()) {
        sample_every_ = config().samples.every;
        if (sample_every_ == 0) sample_every_ = std::max<int64_t>(1, total() / 20);
        observe_every_ = config().observe.every;
        if (observe_every_ == 0) observe_every_ = std::max<int64_t>(least_apart, total() / 50);
        make_folders(folder_.path() + "/samples");
        if (checkpoint && !checkpoint->run.is_null()) {
            const config::SavedState state(checkpoint->run, checkpoint->file);
            finite_ = state.boolean("finite");
            if (config().stop_on_collapse) reason_ = state.text("stopped");
            alarm_.set_state(state.object("alarm"));
        }
    }

private:
    const config::GanConfig& config() const { return trainer_.config(); }
    std::string reason_to_stop() override { return reason_; }
    json::Members state() const override { return {{"finite", finite_}, {"stopped", reason_}, {"alarm", alarm_.state()}}; }

    void begin() override {
        write_grid(folder_.reals(), [&](int64_t count) { return trainer_.reals(count); });
        write_samples();
    }

    json::Members figures() override {
        const StepLosses l = trainer_.losses();
        logged_ = l;
        return {{"loss_d", l.loss_d}, {"loss_g", l.loss_g}, {"grad_norm_d", l.grad_norm_d}, {"grad_norm_g", l.grad_norm_g}};
    }

    std::string brief() override {
        const StepLosses l = trainer_.losses();
        return formatted("loss_d %.4f  loss_g %.4f", l.loss_d, l.loss_g);
    }

    void diagnose(bool last) override {
        if (logged_) {
            check_finite(*logged_);
            alarm(alarm_.losses(*logged_));
            logged_.reset();
        }
        if (step() % observe_every_ == 0 || last) write_observation();
    }

    void pictures(bool last) override {
        if (step() % sample_every_ == 0 || last) {
            write_samples();
            write_plots(history_, folder_.path() + "/plots");
        }
    }

    // A grid of the images that `draw` makes between two steps.
    void write_grid(const std::string& file, const std::function<Tensor(int64_t count)>& draw) {
        const int64_t rows = config().samples.rows, columns = config().samples.columns;
        trainer_.between_steps([&] {
            const Tensor images = draw(rows * columns);
            write_png(file, picture_of(bytes_of(images), rows, columns, images.dim(1), images.dim(2), images.dim(3)));
        });
    }

    void write_samples() {
        const Sampler sampler(config(), trainer_.generator());
        write_grid(folder_.sample(step()),
                   [&](int64_t count) { return sampler.images(sampler.latents(config().seed, 0, count)); });
    }

    std::vector<uint8_t> bytes_of(const Tensor& images) {
        const std::vector<real> values = images.to_host();
        if (!all_finite(values.data(), values.size()))
            say("warning: step " + std::to_string(step()) + ": the samples have values that are not finite");
        double black = config().data.black, white = config().data.white;
        if (config().samples.min_max) {
            const auto [least, most] = std::minmax_element(values.begin(), values.end());
            if (*most > *least) black = double(*least), white = double(*most);
        }
        return to_bytes(values, black, white);
    }

    void write_observation() {
        Observation seen;
        trainer_.between_steps([&] { seen = observe(trainer_); });
        log_.write({{"step", step()}, {"observed", seen.line()}});
        if (finite_) alarm(alarm_.samples(step(), seen.samples, seen.data));
    }

    void check_finite(const StepLosses& l) {
        if (!finite_ || (std::isfinite(l.loss_d) && std::isfinite(l.loss_g))) return;
        finite_ = false;
        std::string where;
        trainer_.between_steps([&] { where = first_not_finite(trainer_); });
        alarm("a loss is not finite; " +
              (where.empty() ? "all layers are finite" : "the first layer that is not finite: " + where));
    }

    void alarm(const std::string& what) {
        if (what.empty()) return;
        log_.write({{"step", step()}, {"event", "collapse"}, {"what", what}});
        say("warning: step " + std::to_string(step()) + ": " + what);
        if (config().stop_on_collapse && reason_.empty()) reason_ = what;
    }

    Trace new_trace() const override {
        Trace trace;
        std::string order, sources, reuser;
        for (const gan::Update& update : trainer_.plan().updates) {
            order += (order.empty() ? "" : " ") + update.name();
            if (update.batches.front().keep) sources += (sources.empty() ? "" : " ") + update.name();
            if (update.batches.front().reuse >= 0) reuser = update.name();
        }
        trace.content.metadata = {{"config", json::dump(config().effective, -1)}, {"order", order}};
        if (!reuser.empty()) trace.content.metadata["reuse"] = reuser + ":" + sources;
        return trace;
    }

    GanTrainer& trainer_;
    CollapseAlarm alarm_;
    int64_t sample_every_ = 1, observe_every_ = 1;
    std::optional<StepLosses> logged_;  // not yet passed to the alarm
    bool finite_ = true;
    std::string reason_;
};

}  // namespace

std::unique_ptr<Run> make_run(GanTrainer& trainer, Dataset, const RunFolder& folder, const Checkpoint* checkpoint) {
    return std::make_unique<GanRun>(trainer, folder, checkpoint);
}

}  // namespace gannet
