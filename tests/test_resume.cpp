// Whole runs, interrupted after every step and resumed: every file equals that of an uninterrupted run.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/files.h"
#include "engine/run/interrupt.h"
#include "engine/run/training.h"
#include "engine/train/checkpoint.h"
#include "tests/small_disk.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

// Discards stderr.
struct Silence {
    int out = ::dup(2);
    Silence() {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, 2);
        ::close(nowhere);
    }
    ~Silence() {
        ::dup2(out, 2);
        ::close(out);
    }
};

// Simulates Ctrl-C: while it exists, a run ends after one step.
struct RaisedInterrupt {
    RaisedInterrupt() {
        const Silence silence;
        watch_interrupts();
        std::raise(SIGINT);
    }
    ~RaisedInterrupt() { clear_interrupt(); }
};

// A small GAN for 8x8 images. The settings of each case trigger a collapse alarm.
const char* const model = R"({ "data": { "set": "mnist", "first": 64, "size": 8 }, "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": 8 }, { "layer": "batch_norm" }, { "layer": "relu" }, { "layer": "dropout", "p": 0.1 },
    { "layer": "linear", "units": "image" }, { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 8 }, { "layer": "leaky_relu" },
    { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 2e-4, "betas": [0.5, 0.999] }, "batch": 8,
  "steps": 30, "log_every": 1, "observe": { "every": 3 }, "samples": { "rows": 2, "columns": 2, "every": 10 } })";

std::vector<json::Value> rows_of(const std::string& log) {
    std::vector<json::Value> rows;
    std::ifstream file(log);
    for (std::string line; std::getline(file, line);) rows.push_back(json::parse(line, log));
    return rows;
}

// Maps each file's path in the folder to the content that must be equal, without `seconds` and `img_per_s` of the log.
std::map<std::string, std::string> contents(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) continue;
        const std::string path = entry.path(), name = std::filesystem::relative(path, folder);
        if (name != "log.jsonl") {
            files[name] = read_file(path);
            continue;
        }
        std::string& rows = files[name];
        for (json::Value row : rows_of(path)) {
            for (const char* key : {"seconds", "img_per_s"})
                if (json::Value* value = row.find(key)) *value = nullptr;
            rows += json::dump(row, -1) + "\n";
        }
    }
    return files;
}

struct Outcome {
    int status = 1;
    std::string error;
};
Outcome outcome_of(const TrainingOptions& options) {
    Outcome outcome;
    const Silence silence;
    outcome.error = error_of([&] { outcome.status = run_training(options, Device::cpu()); });
    return outcome;
}

// Resumes the run after every step. On return, `options` are those of the last resume.
Outcome in_pieces(TrainingOptions& options, int& pieces) {
    for (pieces = 0; pieces < 100; ++pieces) {
        const RaisedInterrupt interrupted;
        const Outcome outcome = outcome_of(options);
        if (outcome.status != 130) return outcome;
        options.resume = options.out.empty() ? options.resume : options.out;
        options.out = options.model = "";
        options.settings = config::Settings();
    }
    return {};
}

void check_equal(const std::string& whole, const std::string& cut) {
    const auto expected = contents(whole), found = contents(cut);
    for (const auto& [name, content] : expected) {
        CAPTURE(name);
        REQUIRE(found.contains(name));
        const std::size_t at = std::size_t(
            std::mismatch(content.begin(), content.end(), found.at(name).begin(), found.at(name).end()).first - content.begin());
        if (found.at(name) != content)
            FAIL_CHECK("at byte " << at << ": " << content.substr(at, 300) << "\n-- resumed: " << found.at(name).substr(at, 300));
    }
    CHECK(found.size() == expected.size());
}

std::string events(const std::string& folder) {
    std::string found;
    for (const json::Value& row : rows_of(folder + "/log.jsonl"))
        if (row.find("event")) found += json::dump(row, -1) + "\n";
    return found;
}

}  // namespace

TEST_CASE("resume: a run interrupted after every step has the same files as an uninterrupted one") {
    struct Case {
        std::string name, event;
        std::vector<std::string> set;
    };
    const std::vector<Case> cases = {
        {"saturated", "has saturated", {"optimizer.generator.lr=0", "optimizer.discriminator.lr=0.5"}},
        {"vanished",
         "has vanished",
         {"optimizer.generator.lr=0", "optimizer.discriminator.lr=0.5", "objective.generator_loss=saturating"}},
        {"pinned",
         "pinned at ln 2",
         {"optimizer.generator.lr=0", "optimizer.discriminator.lr=0", "init.std=0", "discriminator.1.init=normal",
          "discriminator.3.init=normal", "init.bias=zeros"}},
        {"alike",
         "all alike",
         {"optimizer.generator.lr=0", "optimizer.discriminator.lr=0", "init.std=1e-4", "generator.4.init=normal"}},
    };
    for (const Case& c : cases)
        for (const std::string action : {"warn", "stop"}) {
            CAPTURE(c.name);
            CAPTURE(action);
            const TemporaryFolder folder;
            folder.write("model.json", model);
            TrainingOptions options;
            options.model = folder / "model.json";
            std::vector<std::string> set = c.set;
            set.push_back("on_collapse=" + action);
            options.settings = config::Settings(set);
            options.out = folder / "whole/run";
            const Outcome whole = outcome_of(options);
            CAPTURE(whole.error);
            CHECK(whole.status == (action == "warn" ? 0 : 1));
            CHECK(has(events(folder / "whole/run"), c.event));

            options.out = folder / "cut/run";
            int pieces = 0;
            const Outcome cut = in_pieces(options, pieces);
            CHECK(pieces >= 10);
            CHECK(cut.status == whole.status);
            CHECK(has(cut.error, "stopped at step") == (action == "stop"));
            check_equal(folder / "whole/run", folder / "cut/run");
            if (action == "stop")
                CHECK(outcome_of(options).error == cut.error);  // a supervisor that restarts the run does not train further
        }
}

TEST_CASE("resume: a run that an alarm stopped at its last step does not count as finished") {
    const TemporaryFolder folder;
    folder.write("model.json", model);
    TrainingOptions options;
    options.model = folder / "model.json";
    options.out = folder / "run";
    options.resume_if_exists = true;
    options.settings = config::Settings({"optimizer.generator.lr=0", "optimizer.discriminator.lr=0", "init.std=1e-4",
                                         "generator.4.init=normal", "on_collapse=stop", "steps=9"});
    const Outcome first = outcome_of(options), again = outcome_of(options);
    CHECK(has(first.error, "stopped at step 9"));
    CHECK(again.error == first.error);
    options.settings = config::Settings({"on_collapse=warn", "steps=10"});
    options.resume = folder / "run";
    options.out = options.model = "";
    options.resume_if_exists = false;
    CHECK(outcome_of(options).status == 0);
}

TEST_CASE("resume: a classifier interrupted after every step has the same files as an uninterrupted one") {
    const TemporaryFolder folder;
    folder.write("model.json", R"({ "data": { "set": "mnist", "first": 24, "size": 4 },
      "classifier": [ { "layer": "flatten" }, { "layer": "linear", "units": 10 } ],
      "optimizer": { "type": "adam", "lr": 1e-2 }, "batch": 8, "epochs": 2, "log_every": 2 })");
    TrainingOptions options;
    options.model = folder / "model.json";
    options.out = folder / "whole/run";
    REQUIRE(outcome_of(options).status == 0);
    options.out = folder / "cut/run";
    int pieces = 0;
    REQUIRE(in_pieces(options, pieces).status == 0);
    CHECK(pieces == 5);
    check_equal(folder / "whole/run", folder / "cut/run");
}

TEST_CASE("resume: a row or file that could not be written is written when the run is resumed") {
    const TemporaryFolder folder;
    folder.write("model.json", model);
    TrainingOptions options;
    options.model = folder / "model.json";
    options.settings = config::Settings({"steps=12", "samples.every=5"});
    options.out = folder / "whole/run";
    REQUIRE(outcome_of(options).status == 0);
    std::size_t largest = 0;
    for (const auto& [name, content] : contents(options.out)) largest = std::max(largest, content.size());
    for (std::size_t limit = 1000, failed = 0; limit < largest; limit += largest / 12) {
        CAPTURE(limit);
        TrainingOptions cut = options;
        cut.out = folder / ("cut-" + std::to_string(limit) + "/run");
        Outcome outcome;
        {
            const SmallDisk disk(limit);
            outcome = outcome_of(cut);
        }
        failed += outcome.status == 1;
        CHECK(failed > 0);
        if (outcome.status == 1) CHECK(has(outcome.error, "File too large"));
        cut.resume_if_exists = true;
        CHECK(outcome_of(cut).status == 0);
        check_equal(options.out, cut.out);
    }
}

TEST_CASE("resume: a checkpoint with a newer format number or damaged metadata is rejected") {
    const TemporaryFolder folder;
    folder.write("model.json", model);
    TrainingOptions options;
    options.model = folder / "model.json";
    options.settings = config::Settings({"steps=1"});
    options.out = folder / "run";
    REQUIRE(outcome_of(options).status == 0);
    Checkpoint checkpoint = load_checkpoint(options.out);
    CHECK(checkpoint.content.metadata.at("checkpoint_format") == "2");
    checkpoint.content.metadata["checkpoint_format"] = "3";
    write_safetensors(checkpoint.file, checkpoint.content);
    CHECK(has(error_of([&] { load_checkpoint(options.out); }), "this checkpoint has format 3; this build reads 1 to 2"));
    checkpoint.content.metadata["checkpoint_format"] = "2";
    const std::string height = checkpoint.content.metadata.at("image_height");
    for (const char* damage : {"4611686018427387905", "0"}) {
        checkpoint.content.metadata["image_height"] = damage;
        write_safetensors(checkpoint.file, checkpoint.content);
        CHECK(has(error_of([&] { load_checkpoint(options.out); }), "in its metadata (" + checkpoint.file));
    }
    checkpoint.content.metadata["image_height"] = height;
    for (const char* damage : {"{}", "3", "{\"finite\": 1, \"stopped\": \"\", \"alarm\": {}}",
                               "{\"finite\": true, \"stopped\": \"\", \"alarm\": {\"alike\": -1}}"}) {
        CAPTURE(damage);
        checkpoint.content.metadata["run"] = damage;
        write_safetensors(checkpoint.file, checkpoint.content);
        TrainingOptions again;
        again.resume = options.out;
        again.settings = config::Settings({"steps=2"});
        CHECK(has(outcome_of(again).error, "of the saved state"));
    }
}

TEST_CASE("resume: a state that is not finite is not saved over a finite one") {
    const TemporaryFolder folder;
    folder.write("model.json", model);
    // Values grow by a constant factor per step; double overflows later.
    const std::string steps = sizeof(real) == 4 ? "steps=30" : "steps=400";
    for (const std::string action : {"warn", "stop"})
        for (const std::string log_every : {"1", "1000"}) {  // detected in a log row, or only by the last save
            CAPTURE(action);
            CAPTURE(log_every);
            const std::string out = folder / ("run-" + action + log_every);
            TrainingOptions options;
            options.model = folder / "model.json";
            options.out = out;
            options.settings = config::Settings({"on_collapse=" + action, "objective.loss=wasserstein", "checkpoint_every=0",
                                                 "log_every=" + log_every, "observe.every=1000", steps, "samples.every=1000",
                                                 "optimizer={\"type\":\"sgd\",\"lr\":1000}"});
            const Outcome outcome = outcome_of(options);
            CAPTURE(outcome.error);
            CHECK(outcome.status == 1);
            // With `stop`, an infinite loss may end the run one step before the state becomes infinite.
            const bool stopped = action == "stop" && log_every == "1" && has(outcome.error, "stopped at step ");
            if (!stopped) CHECK(has(outcome.error, "the training diverged: after step "));
            CHECK(has(outcome.error, "is not finite"));
            const Checkpoint checkpoint = load_checkpoint(out);
            CHECK(first_not_finite(checkpoint.content).empty());
            CHECK(checkpoint.position.step > 0);
            if (!stopped)
                CHECK(has(outcome.error, "the checkpoint keeps step " + std::to_string(checkpoint.position.step) + ","));
            if (log_every == "1") {
                CHECK(has(events(out), "a loss is not finite"));
                CHECK(exists(out + "/plots/losses.svg"));
            }
            const std::string row = "{\"step\": " + std::to_string(checkpoint.position.step + 1) + ", \"epoch\"";
            if (!stopped) CHECK(has(read_file(out + "/log.jsonl"), row));  // the step whose state was not saved
        }
}
