// Judges samples by a classifier that this program's engine trained.
#include <cstdio>

#include "engine/metrics/evaluation.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/files.h"
#include "kernels/error.h"

using namespace gannet;

namespace {

// The run of the model file that trains a classifier for this data set. Throws Error where there is none.
std::string default_classifier(const std::string& set) {
    const std::string name = set == "mnist" ? "classifier-mnist" : set == "fashion-mnist" ? "classifier-fashion" : "";
    if (name.empty())
        throw Error("no model file trains a classifier for the data set '" + set + "'", "--classifier",
                    "train one on that set, as models/classifier-mnist.json does, and name its run with --classifier");
    const std::string run = "runs/" + name;
    if (!exists(run))
        throw Error("no classifier has been trained for the data set '" + set + "'", run,
                    "run ./apps/train models/" + name + ".json, or name a run with --classifier");
    return run;
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
            "Prints what samples are worth by a small classifier, as one JSON object: how they spread over the classes "
            "(shares; modes: classes with at least 1 % of them; entropy, in nats), how far they are from the training "
            "images (frechet, beside that of the test images; nearest_training_distance), how many have a near-twin "
            "(duplicates). docs/evaluate.md defines every figure.");
        line.positional("SAMPLES", path,
                        "a GAN's run folder or checkpoint, a folder of PNG files, or FILE.npy: bytes (N, H, W[, 1 or 3])");
        line.option("--classifier", by, "RUN",
                    "run folder or checkpoint of a classifier; unless given, runs/classifier-mnist or "
                    "-fashion, by the GAN's data set");
        line.option("--data", data, "PATH", "the classifier's data set, if it has moved since the classifier was trained");
        line.option("-n,--count", n, "N", "how many samples: 10000 unless given, of files all");
        line.option("--seed", seed, "S", "seed of the latent points; 1 unless given");
        line.choice("--device", device, {"auto", "cpu", "cuda"}, "where to compute");
        line.option("--threads", threads, "T", "CPU threads; all cores unless given");
        if (!line.parse(count, arguments)) return 0;
        if (n && (*n < 1 || *n > 1000000)) throw Error("-n " + std::to_string(*n), "command line", "use 1 to 1,000,000");

        const Device chosen = choose_device(device, threads);
        const SampleSource source(path);
        if (seed && !source.draws()) throw Error("--seed without a generator", "command line", "leave it away: these are files");
        const Classifier classifier(by.empty() ? default_classifier(source.data_set()) : by, chosen, data);
        const Samples samples = source.take(n.value_or(source.draws() ? 10000 : 0), seed.value_or(1), classifier.image(), chosen);

        config::Members report = {{"samples", int64_t(samples.pixels.size()) / classifier.image().size()},
                                  {"source", path},
                                  {"classifier", classifier.file()}};
        for (auto& figure : evaluate(classifier, samples)) report.push_back(std::move(figure));
        std::printf("%s\n", config::dump_json(report).c_str());
        return 0;
    });
}
