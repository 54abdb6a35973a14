#include "engine/metrics/samples.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/image.h"
#include "base/limits.h"
#include "base/text.h"
#include "data/npy.h"
#include "data/picture.h"
#include "data/resize.h"
#include "data/source.h"
#include "engine/gan/sampler.h"

namespace gannet {
namespace {

bool is_array(const std::string& path) { return path.ends_with(".npy"); }
bool holds_a_run(const std::string& path) { return !is_folder(path) || exists(path + "/config.json"); }

// Converts the images of an array or a generator, which have one shape. warnings_of() reports the changes of a folder's images.
void fit(Samples& samples, const SampleShape& to, const std::string& path, ThreadPool& threads) {
    const SampleShape from = samples.image;
    if (from == to) return;
    const int64_t count = int64_t(samples.pixels.size()) / from.size();
    const double largest = double(std::max(from.H * from.W, to.H * to.W) * std::max(from.C, to.C));
    if (const std::string lack = lack_of_memory(double(count) * largest, free_memory()); !lack.empty())
        throw LackOfMemory(counted(count, "converted sample takes", "converted samples take") + " " + lack, path,
                           "give the program more memory, or lower -n");
    std::vector<uint8_t>& pixels = samples.pixels;
    if (from.C != to.C) pixels = with_channels({count * from.H, from.W, from.C, std::move(pixels)}, to.C).bytes;
    if (from.H != to.H || from.W != to.W) pixels = resize_images(pixels.data(), count, from.H, from.W, to.C, to.H, to.W, threads);
    samples.warnings.push_back("the samples are " + from.str() + "; they were converted to the shape of the real images, " +
                               to.str());
    samples.image = to;
}

std::vector<std::string> warnings_of(const Dataset& set) {
    const std::pair<int64_t, const char*> changes[] = {
        {set.changes.cropped, "cropped to the central square"},
        {set.changes.resized, "resized"},
        {set.changes.greyed, "converted to grey"},
        {set.changes.coloured, "converted from grey to three equal channels"},
    };
    std::string text;
    for (const auto& [count, what] : changes)
        if (count > 0) text += (text.empty() ? "" : ", ") + grouped(count) + " " + what;
    if (text.empty()) return {};
    return {"of " + counted(set.count, "image") + ", " + text + ": the real images are " +
            SampleShape{set.H, set.W, set.C, false}.str()};
}

}  // namespace

SampleSource::SampleSource(const std::string& path) : path_(path) {
    if (!exists(path))
        throw Error("no such run, checkpoint, folder or file", path,
                    "give a run, a checkpoint, a folder of PNG and JPEG files, or an .npy file");
    if (is_array(path) || !holds_a_run(path)) return;
    if (is_image_name(path) && !is_folder(path))
        throw Error("one image, not samples", path, "give a run, a checkpoint, a folder of PNG and JPEG files, or an .npy file");
    checkpoint_ = load_checkpoint(find_checkpoint(path));
    config_ = config::gan_of(config_of(*checkpoint_), "give the run of a GAN here, and this run with --classifier");
}

std::string SampleSource::data_set() const { return draws() ? config_.data.images.set : "mnist"; }

DatasetOptions SampleSource::data() const { return config_.data.images; }

std::string SampleSource::data_key() const { return checkpoint_->data; }

Samples SampleSource::take(int64_t count, uint64_t seed, const std::optional<SampleShape>& image, Device device,
                           const LoadReport& report) const {
    if (image && image->C != 1 && image->C != 3)
        throw Error("the real images have " + std::to_string(image->C) + " channels; images have 1 or 3", path_,
                    "give samples of a GAN that generates images: points cannot be evaluated");
    Samples samples = draws()           ? drawn(count, seed, image, device, report.progress)
                      : is_array(path_) ? of_array()
                                        : of_folder(image, device.threads(), report);
    const int64_t there = int64_t(samples.pixels.size()) / samples.image.size();
    if (count > there)
        throw Error("the first " + std::to_string(count) + " images are requested, there are " + std::to_string(there), path_,
                    "lower -n, or omit it for all");
    if (count > 0) samples.pixels.resize(std::size_t(count * samples.image.size()));
    if (image) fit(samples, *image, path_, device.threads());
    return samples;
}

Samples SampleSource::drawn(int64_t count, uint64_t seed, const std::optional<SampleShape>& image, Device device,
                            const LoadProgress& progress) const {
    const std::unique_ptr<Network> generator = load_generator(*checkpoint_, config_, device.with(config_.numerics));
    const SampleShape made = generator->out();
    if (made.C != 1 && made.C != 3)
        throw Error("the generator produces points, not images", checkpoint_->file,
                    "give the run of a GAN that generates images");
    const int64_t all = (count + sample_batch - 1) / sample_batch * sample_batch;
    const int64_t converted = image && !(*image == made) ? 2 * std::max(made.size(), image->size()) : 0;
    const std::string lack = lack_of_memory(double(all) * double(made.size() + converted), free_memory());
    if (!lack.empty()) throw LackOfMemory(counted(count, "sample takes", "samples take") + " " + lack, path_, "lower -n");
    const Sampler sampler(config_, *generator);
    Samples samples{{}, made, {}};
    if (const std::optional<Error> lacks = lacking(config_, device))
        samples.warnings.emplace_back(lacks->with_advice("samples are drawn in fp32").what());
    samples.pixels.reserve(std::size_t(all * made.size()));
    for (int64_t first = 0; first < count; first += sample_batch) {
        const std::vector<uint8_t> bytes = sampler.drawn(sampler.latents(seed, first, sample_batch), checkpoint_->file);
        samples.pixels.insert(samples.pixels.end(), bytes.begin(), bytes.end());
        progress("drawing samples", std::min(first + sample_batch, count), count);
    }
    return samples;
}

Samples SampleSource::of_folder(const std::optional<SampleShape>& image, ThreadPool& threads, const LoadReport& report) const {
    DatasetOptions options{.set = "folder", .path = path_, .channels = image ? image->C : 0, .cache = false, .report = report};
    if (image && image->H == image->W) options.size = image->H;  // otherwise they must have one size, and are stretched
    options.where = [this](const std::string&) { return path_; };
    try {
        Dataset set = load_dataset(options, threads);
        if (image) return {std::move(set.pixels), {set.H, set.W, set.C, false}, warnings_of(set)};
        Samples samples{std::move(set.pixels), {set.H, set.W, set.C, false}, {}};
        if (set.changes.coloured == set.count) {  // all files are grey
            samples.pixels = with_channels({set.count * set.H, set.W, set.C, std::move(samples.pixels)}, 1).bytes;
            samples.image.C = 1;
        }
        return samples;
    } catch (const LackOfMemory& error) {
        throw error.with_advice("give the program more memory, or smaller images");
    } catch (const Error& error) {  // omit its advice: it names keys of a model file, and there is none here
        throw error.with_advice("give a folder of valid PNG or JPEG images of the same size");
    }
}

Samples SampleSource::of_array() const {
    Npy npy = read_npy(path_);
    const std::vector<int64_t>& n = npy.shape;
    const bool grey = n.size() == 3, images = grey || (n.size() == 4 && (n[3] == 1 || n[3] == 3));
    if (!images || npy.values.empty())
        throw Error("an array of shape " + Shape(n.begin(), n.end()).str() + " does not hold images", path_,
                    "save an array of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3)");
    return {std::move(npy.values), {n[1], n[2], grey ? 1 : n[3], false}, {}};
}

}  // namespace gannet
