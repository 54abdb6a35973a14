// A model file, read and checked: two lists of layers, or a classifier's one, and how to train them. docs/model-format.md is its
// reference.
#pragma once
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "engine/config/spec.h"
#include "kernels/error.h"
#include "kernels/tuning.h"

namespace gannet::config {

// One entry of an expanded list (`repeat` is gone). Nested lists, as in `residual`, are in `lists` by key.
struct LayerConfig {
    std::string type;
    Object keys;
    std::map<std::string, std::vector<LayerConfig>> lists;
};

struct OptimizerConfig {
    std::string type;  // adam, rmsprop, sgd
    double lr = 0;
    Object keys;  // all of that type's
};

struct ModelConfig {
    std::string name;  // "name", or the file's stem
    std::string file;
    Object data, init, cpu, cuda;
    Object latent, objective, samples, observe;  // of a GAN
    std::vector<LayerConfig> generator, discriminator;
    OptimizerConfig generator_optimizer, discriminator_optimizer;
    std::vector<LayerConfig> classifier;  // instead of all those
    OptimizerConfig classifier_optimizer;
    bool is_classifier() const { return !classifier.empty(); }
    int64_t batch = 0, steps = 0, epochs = 0;  // steps or epochs is 0
    uint64_t seed = 0;
    int64_t log_every = 0;          // 0: about 1,000 lines a run
    double checkpoint_every = 300;  // seconds
    bool fuse = true, share_scores = true, join_batches = true;
    std::string on_collapse = "warn";                  // or "stop"
    bool allow_size_mismatch = false;                  // the discriminator takes fakes of another size than the data
    std::vector<TunedProduct> tuned_products() const;  // of cuda.tune; none where it is not given
    Value effective;                                   // the whole file with defaults filled in and lists expanded: config.json
};

// What the command line puts over a model file, in its order: "key.path=value", list entries by their number in the file
// ("generator.3.channels=64"). The value of a key that holds text is text; others are JSON, or else text. null takes a key away,
// `steps` and `epochs` replace each other.
class Settings {
public:
    struct Entry {
        std::string text, place;  // the place is how messages name it: "--set batch=8", or a flag that stands for it
    };
    Settings() = default;
    Settings(std::initializer_list<std::string> texts) : Settings(std::vector<std::string>(texts)) {}
    Settings(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) add(text, "--set " + printable(text));
    }
    void add(const std::string& text, const std::string& place) { entries_.push_back({text, place}); }
    const std::vector<Entry>& entries() const { return entries_; }
    // `e`, naming those settings as well which decide whether a net, its data and a step fit; as it is where it names one.
    Error blamed(const Error& e) const;

private:
    std::vector<Entry> entries_;
};

// f(), and where that fails for what several keys together come to, the error names the settings as well: the line of the file
// that it names may be innocent.
template <class F>
auto blaming(const Settings& settings, const F& f) {
    try {
        return f();
    } catch (const Error& e) {
        throw settings.blamed(e);
    }
}

// Throws Error naming path and line, or the setting. Paths in the file count from its folder, those in settings from the working
// folder; ~ is a home folder. In what is read they are absolute.
ModelConfig load_model(const std::string& file, const Settings& settings);
// The same of a run's config.json, where a relative path, which only earlier programs wrote, counts from the working folder.
ModelConfig load_run_config(const std::string& file, const Settings& settings);
// The same of a text, the configuration that a checkpoint holds; `file` names it in messages.
ModelConfig parse_model(const std::string& text, const std::string& file, const Settings& settings);

// What of an effective file decides the numbers of a training: all but the keys that are free_at_resume.
Value identity(const Value& effective);

// Top-level sections in the order of the reference page.
const std::vector<const ObjectSpec*>& model_specs();
// The whole reference page.
std::string model_reference();

}  // namespace gannet::config
