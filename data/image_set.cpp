#include "data/image_set.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "data/cache.h"
#include "data/decode.h"
#include "data/hash.h"
#include "data/labels.h"
#include "data/memory_budget.h"
#include "data/source.h"

namespace gannet {
namespace {

constexpr std::size_t longest_line = 1000;

std::string extents(int64_t W, int64_t H) { return std::to_string(W) + " x " + std::to_string(H); }

// The result of one file.
struct Decoded {
    Image picture;
    std::string broken;  // why there is none
    std::string lack;    // of memory: it was not tried
    bool enlarged = false, no_memory = false;
    int64_t H = 0, W = 0, C = 0;  // of the file
};

// Thrown out of a decoder.
struct NoRoom {
    std::string lack;
};

class Decoder {
public:
    explicit Decoder(const DatasetOptions& options)
        : crop_(options.crop),
          size_(options.size),
          channels_(options.channels ? options.channels : 3),
          decode_{read_colour(options.background, options.where("background")), options.max_pixels},
          budget_(options.free) {}

    int64_t channels() const { return channels_; }
    // An encoded image is smaller than its pixels, even with 16 bits, except for a small overhead.
    int64_t largest_file() const { return 8 * decode_.max_pixels + (1 << 20); }

    // On any number of threads. While others decode, it waits for the memory that it needs.
    Decoded operator()(const ImageFile& file) {
        Decoded out;
        out.broken = file.unreadable;
        if (!out.broken.empty()) return out;
        MemoryShare share(budget_);
        DecodeOptions decode = decode_;
        decode.reserve = [&](int64_t H, int64_t W, int64_t C, int64_t bytes) {
            const std::string lack = share.take(std::max(bytes, bytes_to_fit(H, W, C)));
            if (!lack.empty()) throw NoRoom{"an image of " + extents(W, H) + " pixels takes " + lack};
        };
        try {
            Image picture = decode_image(file.bytes, decode);
            out.H = picture.H, out.W = picture.W, out.C = picture.C;
            picture = with_channels(std::move(picture), channels_);
            if (crop_ > 0 && std::min(picture.H, picture.W) < crop_)
                throw BrokenImage(extents(picture.W, picture.H) + " pixels, smaller than data.crop (" + std::to_string(crop_) +
                                  ")");
            if (crop_ > 0) picture = cropped(picture, crop_);
            out.enlarged = std::min(picture.H, picture.W) < size_;
            out.picture = size_ > 0 ? fitted(std::move(picture), size_) : std::move(picture);
        } catch (const BrokenImage& broken) {
            out.broken = printable(broken.what());
        } catch (const NoRoom& room) {
            out.lack = room.lack;
        } catch (const std::bad_alloc&) {
            out.no_memory = true;
        }
        return out;
    }

private:
    // The largest memory that a step after decoding needs: each step makes a new picture from another. The last one also holds
    // rows that are resized only horizontally.
    int64_t bytes_to_fit(int64_t H, int64_t W, int64_t C) const {
        const int64_t converted = H * W * channels_, cut = crop_ > 0 ? crop_ * crop_ * channels_ : 0;
        int64_t most = C == channels_ ? converted : H * W * C + converted;
        most = std::max(most, converted + cut);
        if (size_ == 0) return most;
        const int64_t side = crop_ > 0 ? crop_ : std::min(H, W), tall = crop_ > 0 ? crop_ : H;
        const int64_t rows = std::min(tall, side + 2 * (side / size_ + 2)), weights = 4 * sizeof(int32_t) * (side + size_);
        return std::max(most, (cut ? cut : converted) + (rows + size_) * size_ * channels_ + weights);
    }

    int64_t crop_, size_, channels_;
    DecodeOptions decode_;
    MemoryBudget budget_;
};

// Decodes the first `count` files of a source into the pixels of a set.
class Collector {
public:
    Collector(const DatasetOptions& options, const ImageSource& source, Decoder& decoder, int64_t count, ThreadPool& threads)
        : options_(options), source_(source), decoder_(decoder), count_(count), threads_(threads), usable_(std::size_t(count)) {}

    void run(Dataset& set) {
        source_.read(0, count_, threads_, [&](std::vector<ImageFile>& files) {
            done_ += int64_t(files.size());
            while (!files.empty()) decode(set, files);
            if (options_.report.progress) options_.report.progress("decoding", done_, count_);
        });
        if (set.H == 0)
            throw Error("none of " + counted(count_, "image") + " can be used", printable(options_.path),
                        "see why with data.broken \"error\"");
        close_gaps(set);
    }

    std::vector<std::string> lines() const {
        std::vector<std::string> lines;
        if (!broken_.empty()) {
            std::vector<std::pair<std::string, std::string>> all;
            for (const auto& [index, why] : broken_) all.emplace_back(source_.names()[std::size_t(index)], why);
            lines.push_back(counted(int64_t(all.size()), "broken image") + " omitted: " + named(all));
        }
        if (enlarged_ > 0)
            lines.push_back(counted(enlarged_, "image is", "images are") + " smaller than " +
                            extents(options_.size, options_.size) + " and became larger");
        return lines;
    }

private:
    // Files that did not fit in memory together with the others stay in `files`. Throws Error if none fits.
    void decode(Dataset& set, std::vector<ImageFile>& files) {
        std::vector<Decoded> decoded(files.size());
        parallel_for(threads_, int64_t(files.size()), [&](int64_t task) {
            const auto i = std::size_t(task);
            decoded[i] = decoder_(files[i]);
            if (decoded[i].lack.empty()) files[i].bytes = {};
        });
        refuse(files, decoded);
        std::vector<ImageFile> again;
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (decoded[i].lack.empty()) keep(set, files[i].index, decoded[i]);
            else again.push_back(std::move(files[i]));
        }
        if (again.size() == files.size()) throw LackOfMemory(decoded[0].lack, source_.place(again[0].index), more_memory);
        files = std::move(again);
    }

    // Reports the first broken file by name, whichever thread found one first.
    void refuse(const std::vector<ImageFile>& files, const std::vector<Decoded>& decoded) const {
        int64_t first = count_;
        std::string why;
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (decoded[i].no_memory) throw std::bad_alloc();
            if (decoded[i].broken.empty() || files[i].index >= first) continue;
            first = files[i].index;
            why = decoded[i].broken;
        }
        if (first < count_ && !options_.skip_broken)
            throw Error("a broken image, " + why, source_.place(first),
                        "replace or remove it, or skip all such files with data.broken \"skip\"");
    }

    void keep(Dataset& set, int64_t index, Decoded& decoded) {
        if (!decoded.broken.empty()) {
            broken_[index] = decoded.broken;
            return;
        }
        const Image& p = decoded.picture;
        if (set.H == 0) {
            check_memory(count_, p.H, p.W, p.C, options_.where("size"), options_.free);
            set.H = p.H, set.W = p.W, set.C = p.C;
            set.pixels.resize(std::size_t(count_ * p.H * p.W * p.C));
            model_ = index;
        } else if (p.H != set.H || p.W != set.W) {
            throw Error("images differ in size: " + extents(set.W, set.H) + " in " + source_.place(model_) + ", " +
                            extents(p.W, p.H) + " in another",
                        source_.place(index), "set data.size, or data.crop");
        }
        std::copy(p.bytes.begin(), p.bytes.end(), set.pixels.begin() + index * int64_t(p.bytes.size()));
        usable_[std::size_t(index)] = true;
        enlarged_ += decoded.enlarged;
        const int64_t side = options_.crop > 0 ? options_.crop : std::min(decoded.H, decoded.W);  // of the square that is cut
        set.changes.greyed += decoded.C > p.C;
        set.changes.coloured += decoded.C < p.C;
        set.changes.cropped += (options_.crop > 0 || options_.size > 0) && (decoded.H != side || decoded.W != side);
        set.changes.resized += options_.size > 0 && side != options_.size;
    }

    void close_gaps(Dataset& set) const {
        const int64_t image = set.H * set.W * set.C;
        set.count = 0;
        for (int64_t i = 0; i < count_; ++i) {
            if (!usable_[std::size_t(i)]) continue;
            if (i != set.count) {
                std::copy_n(set.pixels.begin() + i * image, image, set.pixels.begin() + set.count * image);
                if (!set.labels.empty()) set.labels[std::size_t(set.count)] = set.labels[std::size_t(i)];
            }
            ++set.count;
        }
        set.pixels.resize(std::size_t(set.count * image));
        if (!set.labels.empty()) set.labels.resize(std::size_t(set.count));
    }

    const DatasetOptions& options_;
    const ImageSource& source_;
    Decoder& decoder_;
    int64_t count_, done_ = 0, enlarged_ = 0, model_ = 0;
    ThreadPool& threads_;
    std::vector<bool> usable_;
    std::map<int64_t, std::string> broken_;
};

void check(const DatasetOptions& options) {
    if (options.path.empty())
        throw Error("the set \"folder\" needs a path", options.where("path"),
                    "set data.path to a folder, or a tar or zip archive, of PNG and JPEG images");
    if (options.split != "train")
        throw Error("a folder has no split \"" + printable(options.split) + "\"", options.where("split"),
                    "omit data.split, and set data.path to the folder of those images");
    if (options.crop < 0 || options.max_pixels < 1 || options.max_bytes < 1)
        throw Error("crop " + std::to_string(options.crop) + ", max_pixels " + std::to_string(options.max_pixels) +
                        ", max_bytes " + std::to_string(options.max_bytes),
                    options.where("crop"), "give a crop of 0 (none) or more, and 1 pixel and byte or more");
}

uint64_t key_of(const DatasetOptions& o, const Decoder& decoder, const ImageSource& source, int64_t count,
                const std::vector<uint8_t>& labels, ThreadPool& threads) {
    Hash hash;
    const Colour colour = read_colour(o.background, o.where("background"));
    for (const int64_t setting : {o.size, o.crop, decoder.channels(), o.max_pixels, count, int64_t(o.skip_broken),
                                  int64_t(colour.r), int64_t(colour.g), int64_t(colour.b)})
        hash.add(uint64_t(setting));
    hash.add(labels);  // they may change with files after the first `count`
    for (int64_t i = 0; i < count; ++i) hash.add(source.names()[std::size_t(i)]);  // which images of an archive
    hash.add(source.content(count, threads, o.report.progress));
    return hash.value();
}

// Its errors name the key as well, where there is one.
std::unique_ptr<ImageSource> open_source(const DatasetOptions& options, const Decoder& decoder) {
    try {
        return ImageSource::open(options.path, {decoder.largest_file(), options.max_bytes, options.skip_broken, options.free});
    } catch (const Error& error) {
        const std::string where = options.where("path");
        throw where == options.path ? error : error.also_at(where);
    }
}

}  // namespace

void check_memory(int64_t count, int64_t H, int64_t W, int64_t C, const std::string& where, const FreeMemory& free) {
    const std::string lack = lack_of_memory(double(count) * (double(H) * double(W) * double(C) + 1), free());  // and a label
    if (!lack.empty())
        throw LackOfMemory(counted(count, "image") + " of " + extents(W, H) + (count == 1 ? " takes " : " take ") + lack, where,
                           "use a smaller data.size, or fewer images with data.first");
}

Dataset load_images(const DatasetOptions& options, ThreadPool& threads) {
    check(options);
    const auto start = std::chrono::steady_clock::now();
    Decoder decoder(options);
    const std::unique_ptr<ImageSource> source = open_source(options, decoder);
    const int64_t all = int64_t(source->names().size()), count = options.first > 0 ? options.first : all;
    if (options.first > all)
        throw Error("the first " + std::to_string(options.first) + " images are requested, there are " + std::to_string(all),
                    printable(options.path), "use a smaller data.first, or 0 for all");
    if (options.size > 0)
        check_memory(count, options.size, options.size, decoder.channels(), options.where("size"), options.free);
    const bool may_read = options.cache && cache_limit() > 0;  // complains before the images are decoded
    const auto say = [&](const std::string& line) {
        if (options.report.say) options.report.say(printable(options.path) + ": " + line);
    };
    if (source->ignored().count() > 0) say(counted(source->ignored().count(), "file") + " ignored: " + source->ignored().text());

    if (const auto& out = source->unreachable(); !out.empty())
        say(counted(int64_t(out.size()), "unreadable folder or entry", "unreadable folders or entries") +
            " omitted: " + named(out));

    Dataset set{.name = options.set, .source = options.path};
    std::vector<std::string> lines;
    label(set, *source, count);
    const uint64_t key = options.cache ? key_of(options, decoder, *source, count, set.labels, threads) : 0;
    const std::string kept = options.cache ? cache_file(key) : "";
    if (may_read && read_cache(kept, key, set, lines, options.free)) {
        for (const std::string& line : lines) say(printable(line, longest_line));
        return set;
    }
    Collector collector(options, *source, decoder, count, threads);
    collector.run(set);
    lines = collector.lines();
    for (const std::string& line : lines) say(line);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    char text[64];
    std::snprintf(text, sizeof text, " decoded in %.1f s", seconds);
    std::string line = counted(set.count, "image") + text;
    if (options.cache) {
        const std::string failure = write_cache(kept, key, set, lines);
        line += failure.empty() ? ", kept in " + printable(kept, longest_line) : "; not kept for the next time (" + failure + ")";
    }
    say(line);
    return set;
}

DatasetInfo images_info(const DatasetOptions& options, std::string* absent) {
    check(options);
    Decoder decoder(options);
    const int64_t side = options.size > 0 ? options.size : options.crop;
    const bool there = exists(options.path);
    if (side > 0 && (there || absent)) {
        if (!there) *absent = "no such file or folder: " + printable(options.path);
        return {side, side, decoder.channels(), options.first};
    }
    const std::unique_ptr<ImageSource> source = open_source(options, decoder);
    ThreadPool alone(1);
    // The others must have the same shape; load_images checks this.
    for (int64_t i = 0; i < int64_t(source->names().size()); ++i) {
        Decoded decoded;
        source->read(i, i + 1, alone, [&](std::vector<ImageFile>& files) { decoded = decoder(files.front()); });
        if (!decoded.lack.empty()) throw LackOfMemory(decoded.lack, source->place(i), more_memory);
        if (decoded.broken.empty())
            return {decoded.picture.H, decoded.picture.W, decoded.picture.C,
                    options.first > 0 ? options.first : int64_t(source->names().size())};
        if (!options.skip_broken)
            throw Error("a broken image, " + decoded.broken, source->place(i),
                        "replace or remove it, or skip all such files with data.broken \"skip\"");
    }
    throw Error("none of " + counted(int64_t(source->names().size()), "image") + " can be used", printable(options.path),
                "see why with data.broken \"error\"");
}

}  // namespace gannet
