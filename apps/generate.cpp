// Draws images with a trained generator.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/image.h"
#include "base/limits.h"
#include "base/text.h"
#include "data/source.h"
#include "engine/gan/sampler.h"
#include "engine/run/cli.h"
#include "engine/run/device_option.h"
#include "engine/run/interrupt.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "engine/run/sample_folder.h"
#include "engine/train/checkpoint.h"

using namespace gannet;

namespace {

// Images [first, first + sample_batch) of rows of `steps` points on straight lines between pairs of latent points.
Tensor interpolation(const Sampler& sampler, uint64_t seed, int64_t first, int64_t steps) {
    const int64_t row = first / steps, rows = (first + sample_batch - 1) / steps - row + 1;
    const Tensor pairs = sampler.latents(seed, 2 * row, 2 * rows);
    const std::vector<real> ends = pairs.to_host();
    const std::size_t size = ends.size() / std::size_t(2 * rows);
    std::vector<real> points;
    for (int64_t image = first; image < first + sample_batch; ++image) {
        const real t = real(image % steps) / real(steps - 1);
        const real* from = &ends[std::size_t(2 * (image / steps - row)) * size];
        for (std::size_t i = 0; i < size; ++i) points.push_back((1 - t) * from[i] + t * from[size + i]);
    }
    return Tensor::from(points, {sample_batch, int64_t(size)}, pairs.device());
}

// Throws where memory does not hold the images of a grid, their picture and its file.
void check_grid(int64_t images, const SampleShape& image, bool rows) {
    const std::string lack = lack_of_memory(3.0 * double(images) * double(image.size()), free_memory());
    if (!lack.empty())
        throw LackOfMemory(
            "a grid of " + counted(images, "image") + " takes " + lack, "command line",
            std::string("lower -n") + (rows ? " or --interpolate" : "") + ", or write single images with --out FOLDER/");
}

// Makes the folder. Removes older samples first, or reports how many remain beside the `images` new ones.
void prepare_folder(const std::string& folder, int64_t images, bool replace) {
    make_folders(folder);
    remove_dead_temporaries(folder);  // temporary files of a killed program
    const FolderContent there = content_of(folder);
    if (replace && !there.samples.empty()) {
        remove_samples(folder, there.samples);
        say("removed " + counted(int64_t(there.samples.size()), "older sample") + " from " + folder);
    }
    const int64_t stay =
        replace ? 0 : std::count_if(there.samples.begin(), there.samples.end(), [&](int64_t i) { return i >= images; });
    if (!there.unlisted.empty())
        say("gannet: warning: " + counted(int64_t(there.unlisted.size()), "folder or file", "folders or files") +
            " cannot be reached: " + named(there.unlisted) + " (" + folder + "): they may contain older images");
    if (stay == 0 && there.other_images == 0) return;
    std::string what, to_do = "choose another --out to separate them";
    if (stay > 0) {
        const int64_t first = there.samples[there.samples.size() - std::size_t(stay)], last = there.samples.back();
        what = counted(stay, "older sample") + " (" + sample_name(first) + " to " + sample_name(last) + ")";
        to_do = "remove older samples with --replace";
    }
    if (there.other_images > 0) what += (what.empty() ? "" : " and ") + counted(there.other_images, "other image");
    say("gannet: warning: beside the " + counted(images, "new sample") + " the folder holds " + what + " (" + folder +
        "): " + to_do);
}

// Throws now rather than after the work. A link may lead to any file, such as a checkpoint.
void check_grid_place(const std::string& out) {
    const std::string signature = "\x89PNG";
    std::error_code error;
    if (exists(out) && std::filesystem::is_regular_file(out, error))
        if (const std::string start = read_file(out, signature.size()); !start.empty() && start != signature)
            throw Error("--out would replace a file that is not a PNG", out, "choose another --out");
    const AtomicFile writable(out);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program(argc, argv, [](int count, char** arguments) {
        std::string run, out = "samples.png", device = "auto";
        int64_t n = 64, interpolate = 0, threads = 0;
        uint64_t seed = 1;
        bool exact = false, replace = false;
        CommandLine line("generate", "Draws images with the generator of a run or checkpoint.");
        line.positional("RUN", run, "a run folder or a checkpoint file");
        line.option("-n,--count", n, "N", "number of images (of rows with --interpolate); default: 64");
        line.option("--seed", seed, "S", "seed of the latent points; default: 1");
        line.option("--out", out, "GRID.png|FOLDER/",
                    "a grid, or a folder for one PNG per image; default: samples.png; existing files are replaced");
        line.flag("--replace", replace, "removes older samples (NNNNNN.png) from the folder first");
        line.option("--interpolate", interpolate, "K", "draws rows of K images that interpolate between pairs of latent points");
        line.option("--device", device, "auto|cpu|cuda[:N]", "where to compute");
        line.option("--threads", threads, "T", threads_help);
        line.flag("--exact", exact, "computes convolutions without Winograd, as --set cpu.exact=true");
        if (!line.parse(count, arguments)) return 0;
        if (n < 1 || n > 1000000)
            throw Error("-n " + std::to_string(n) + " is out of range", "command line", "use 1 to 1,000,000");
        if (line.given("--interpolate") && (interpolate < 2 || interpolate > 1000))
            throw Error("--interpolate " + std::to_string(interpolate) + " is out of range", "command line", "use 2 to 1000");
        if (interpolate * n > 1000000)
            throw Error(grouped(n) + " rows of " + grouped(interpolate) + " images are too many", "command line",
                        "draw at most 1,000,000 images at once");
        ignore_write_signals();

        const Checkpoint checkpoint = load_checkpoint(find_checkpoint(run));
        const config::GanConfig config = config::gan_of(config_of(checkpoint), "give a GAN's run");
        Numerics numerics = config.numerics;
        numerics.exact_convolutions = numerics.exact_convolutions || exact;
        const Device chosen = choose_device(device, threads);
        if (const std::optional<Error> lacks = lacking(config, chosen))
            say(std::string("gannet: warning: ") + lacks->with_advice("samples are drawn in fp32").what());
        const std::unique_ptr<Network> generator = load_generator(checkpoint, config, chosen.with(numerics));
        const SampleShape image = generator->out();
        const Sampler sampler(config, *generator);
        const bool folder = out.ends_with('/') || is_folder(out);
        const int64_t images = interpolate ? n * interpolate : n;
        if (!folder && !out.ends_with(".png"))
            throw Error("--out " + out + " is neither a PNG file nor a folder", "command line",
                        "end it in .png for a grid, or in / for a folder of images");
        if (folder && image.C != 1 && image.C != 3)
            throw Error("the generator produces points, not images", "command line",
                        "give --out FILE.png for a picture of all points");
        if (replace && !folder)
            throw Error("--replace without a folder", "command line", "give --out FOLDER/; a grid is replaced anyway");
        refuse_output_in_data(config.data.images, out, "the drawn images");
        if (!folder) check_grid(images, image, interpolate > 0);
        if (folder) prepare_folder(out, images, replace);
        else check_grid_place(out);
        Bar bar;
        std::vector<uint8_t> pixels;
        if (!folder) pixels.reserve(std::size_t(images * image.size()));
        for (int64_t first = 0; first < images; first += sample_batch) {
            const int64_t here = std::min(sample_batch, images - first);
            const Tensor latents =
                interpolate ? interpolation(sampler, seed, first, interpolate) : sampler.latents(seed, first, sample_batch);
            std::vector<uint8_t> bytes = sampler.drawn(latents, checkpoint.file);
            bytes.resize(std::size_t(here * image.size()));
            bar.update("drawing", first + here, images);
            if (!folder) {
                pixels.insert(pixels.end(), bytes.begin(), bytes.end());
                continue;
            }
            for (int64_t i = 0; i < here; ++i) {
                const std::filesystem::path file = std::filesystem::path(out) / sample_name(first + i);
                std::error_code error;
                if (std::filesystem::is_symlink(file, error)) std::filesystem::remove(file, error);  // never replaces its target
                write_png(file.string(), bytes.data() + i * image.size(), image.H, image.W, image.C);
            }
        }
        if (!folder) {
            const int64_t columns = interpolate ? interpolate : int64_t(std::ceil(std::sqrt(double(n)))),
                          rows = (images + columns - 1) / columns;
            write_png(out, picture_of(pixels, rows, columns, image.H, image.W, image.C));
            bar.say("wrote " + out + ": " + counted(images, "image") + " in " + counted(rows, "row"));
        } else {
            bar.say("wrote " + counted(images, "image") + " to " + out + ": " + sample_name(0) + " to " +
                    sample_name(images - 1));
        }
        return 0;
    });
}
