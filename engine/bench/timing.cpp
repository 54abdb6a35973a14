#include "engine/bench/timing.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/tensor/workspace.h"

namespace gannet::bench {
namespace {

// Measures `calls` calls. On a GPU they are one graph, because otherwise short kernels would be bound by the host's launches.
class Sample {
public:
    Sample(Device device, const std::function<void()>& f, int calls) : device_(device), calls_(calls), workspace_(device) {
        work_ = [&f, calls] {
            for (int i = 0; i < calls; ++i) f();
        };
        if (!device.is_cuda()) return;
        graph_ = workspace_.record(work_, workspace_.run(f));
        graph_->replay();  // the first launch of a graph uploads it
    }
    double seconds_of_call() const {
        return device_.seconds(graph_ ? [this] { graph_->replay(); } : work_) / calls_;
    }

private:
    Device device_;
    int calls_;
    std::function<void()> work_;
    Workspace workspace_;
    std::unique_ptr<RecordedWork> graph_;
};

}  // namespace

Timing measure(Device device, double seconds, const std::function<void()>& f) {
    f();  // warm-up: fills pools and caches, and loads a GPU's kernel
    double once = device.seconds(f);
    if (seconds <= 0) return {once, once};
    const double enough = std::min(0.001, seconds / 3);
    const auto calls_for = [&] {
        return int(std::clamp(std::ceil(enough / std::max(once, 1e-9)), 1.0, device.is_cuda() ? 256.0 : 1e5));
    };
    if (calls_for() > 1) once = Sample(device, f, calls_for()).seconds_of_call();  // a single call is too inaccurate
    const int calls = calls_for();
    const Sample sample(device, f, calls);
    std::vector<double> times;
    for (double spent = 0; spent < seconds || times.size() < 3; spent += times.back() * calls)
        times.push_back(sample.seconds_of_call());
    std::sort(times.begin(), times.end());
    return {times[times.size() / 2], times.front()};
}

}  // namespace gannet::bench
