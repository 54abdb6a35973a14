// Compares samples with real images, with a classifier that Gannet trained.
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "data/procedural.h"
#include "engine/metrics/evaluation.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/progress.h"

using namespace gannet;

namespace {

// The warning without a classifier: which metrics are null, and how to get a classifier.
std::string without_classifier(const std::string& set, const RealImages& reals) {
    const std::string nulls =
        "shares, modes, entropy, mean_confidence, frechet and frechet_floor are null: they need a classifier";
    const std::string model = classifier_model(set);
    if (!model.empty())
        return nulls + "; run ./apps/train models/" + model + ".json, or name a classifier's run with --classifier";
    if (reals.labelled)
        return nulls + "; train one on " + reals.source +
               ", which has labels (docs/evaluate.md), and name its run with --classifier";
    return nulls + ", and " + reals.source +
           " has no labels to train one with; name the run of a classifier for similar images with --classifier";
}

// The real images and, if there is one, the classifier.
struct Standard {
    std::unique_ptr<Classifier> classifier;
    std::optional<RealImages> reals;  // empty for files without a classifier, until their shape is known
};

// With advice that can be followed: that of the readers names keys of a model file, and evaluate reads none.
RealImages load_reals(const DatasetOptions& options, const std::string& key, bool labels, ThreadPool& threads) {
    try {
        return load_real_images(options, key, labels, threads);
    } catch (const LackOfMemory& error) {
        throw error.with_advice("give the program more memory, or smaller images with --data PATH");
    } catch (const Error& error) {
        throw error.with_advice("correct the real images, or give the path of others with --data PATH");
    }
}

// Finds the classifier `by` (--classifier) or the default one of the data set. `data` (--data) replaces the path of the real
// images.
Standard find_standard(const SampleSource& source, const std::string& path, const std::string& by, const std::string& data,
                       Device device, const LoadReport& report) {
    const bool files_beside_data = !source.draws() && !data.empty();
    const std::string usual = classifier_model(source.data_set()).empty() ? "" : "runs/" + classifier_model(source.data_set());
    const std::string run = !by.empty() ? by : !usual.empty() && !files_beside_data && exists(usual) ? usual : "";
    Standard standard;
    DatasetOptions options;
    std::string key;
    if (!run.empty()) {
        standard.classifier = std::make_unique<Classifier>(run, device);
        options = standard.classifier->config().data.images;
        key = standard.classifier->data_key();
    } else if (source.draws()) {
        options = source.data();
        key = source.data_key();
    } else if (files_beside_data) {
        return standard;
    } else {
        throw Error(
            "nothing to compare these images with", path,
            "name the folder of real images with --data, or a classifier's run with --classifier; " + usual + " does not exist");
    }
    if (!data.empty()) {
        if (is_procedural(options.set))
            throw Error("the images of \"" + options.set + "\" are computed, not read from files", "--data", "omit it");
        options.path = data;
        options.where = [of_file = options.where](const std::string& at) { return at == "path" ? "--data" : of_file(at); };
    }
    options.report = report;
    if (!options.path.empty() && !exists(options.path))
        throw Error("the set of real images does not exist", options.path + ", " + options.where("path"),
                    "give its path with --data PATH");
    standard.reals = load_reals(options, key, bool(standard.classifier), device.threads());
    return standard;
}

// Real images with the size and channels of the samples.
RealImages images_like(const Samples& samples, const std::string& data, ThreadPool& threads, const LoadReport& report) {
    const SampleShape& image = samples.image;
    DatasetOptions options{.set = "folder", .path = data, .channels = image.C, .report = report};
    if (image.H == image.W) options.size = image.H;
    options.where = [](const std::string&) { return "--data"; };
    RealImages reals = load_reals(options, "", false, threads);
    if (!(reals.image == image))
        throw Error("the samples are " + image.str() + ", the real images " + reals.image.str(), data,
                    "give images of one shape: only square images are resized");
    return reals;
}

json::Members measure(const SampleSource& source, const std::string& path, const std::string& by, const std::string& data,
                      int64_t count, uint64_t seed, Device device) {
    Bar bar;
    const LoadReport report = bar.report();
    Standard standard = find_standard(source, path, by, data, device, report);
    const Classifier* classifier = standard.classifier.get();
    std::optional<SampleShape> image;
    if (standard.reals) image = standard.reals->image;
    const Samples samples = source.take(count, seed, image, device, report);
    if (!standard.reals) standard.reals = images_like(samples, data, device.threads(), report);

    json::Members metrics = {{"samples", int64_t(samples.pixels.size()) / samples.image.size()},
                             {"source", path},
                             {"classifier", classifier ? json::Value(classifier->file()) : json::Value()}};
    const std::string none = classifier ? "" : without_classifier(source.draws() ? source.data_set() : "", *standard.reals);
    for (auto& metric : evaluate(samples, *standard.reals, classifier, none, device.threads(), report.progress))
        metrics.push_back(std::move(metric));
    return metrics;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string path, by, data, device = "auto";
        std::optional<int64_t> n;
        std::optional<uint64_t> seed;
        int64_t threads = 0;
        CommandLine line(
            "evaluate",
            "Measures the quality of samples and prints one JSON object: the distribution over the classes of a small classifier "
            "(shares; modes: classes with at least 1 % of the samples; entropy, in nats), the distance to the training images "
            "(frechet, and frechet_floor for real images; nearest_training_distance), and the share of near-duplicates "
            "(duplicates). docs/evaluate.md defines every metric.");
        line.positional(
            "SAMPLES", path,
            "a GAN's run folder or checkpoint, a folder of PNG and JPEG files, or FILE.npy: bytes (N, H, W[, 1 or 3])");
        line.option("--classifier", by, "RUN",
                    "run folder or checkpoint of a classifier; default: runs/classifier-mnist or -fashion, depending on the "
                    "GAN's data set, if it exists; without a classifier only metrics that need no labels are measured");
        line.option(
            "--data", data, "PATH",
            "path of the real images, if they were moved; if SAMPLES are files and --classifier is not given, the folder or "
            "archive of real images to compare with");
        line.option("-n,--count", n, "N", "number of samples; default: 10000, or all files");
        line.option("--seed", seed, "S", "seed of the latent points; default: 1");
        line.option("--device", device, "auto|cpu|cuda[:N]", "where to compute");
        line.option("--threads", threads, "T", threads_help);
        if (!line.parse(count, arguments)) return 0;
        if (n && (*n < 1 || *n > 1000000))
            throw Error("-n " + std::to_string(*n) + " is out of range", "command line", "use 1 to 1,000,000");

        const Device chosen = choose_device(device, threads);
        const SampleSource source(path);
        if (seed && !source.draws()) throw Error("--seed has no effect on files", "command line", "omit it");
        const json::Members report =
            measure(source, path, by, data, n.value_or(source.draws() ? 10000 : 0), seed.value_or(1), chosen);
        std::printf("%s\n", json::dump(report).c_str());
        return 0;
    });
}
