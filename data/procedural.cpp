#include "data/procedural.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "data/image_set.h"
#include "data/picture.h"
#include "kernels/philox.h"

namespace gannet {
namespace {

constexpr int64_t usual_count = 10000, usual_size = 64;

// The random numbers of one image, in their own stream (see engine/tensor/random.h), independent of the seed of the training.
class Draws {
public:
    Draws(int64_t image, bool test) : image_(uint64_t(image)), test_(test) {}

    double uniform() {  // in (0, 1)
        constexpr uint32_t stream = 5;
        if (used_ % 4 == 0)
            words_ = philox(used_ / 4, uint32_t(image_), uint32_t(image_ >> 32) << 1 | uint32_t(test_), stream << 12, 0);
        return (double(words_.w[used_++ % 4] >> 9) + 0.5) / 8388608.0;
    }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }

private:
    uint64_t image_;
    bool test_;
    uint32_t used_ = 0;
    PhiloxWords words_{};
};

constexpr double pi = 3.14159265358979323846;

using Point = std::array<double, 2>;

constexpr double extent = 0.8;  // the distance of modes from the centre

Point ring_mode(int mode) {
    const double angle = 2 * pi * mode / 8;
    return {extent * std::cos(angle), extent * std::sin(angle)};
}

Point grid_mode(int mode) {
    constexpr double spacing = 2 * extent / 4;
    const int column = mode % 5 - 2, row = mode / 5 - 2;
    return {spacing * column, spacing * row};
}

// A set: points around modes, or pictures.
struct ProceduralSet {
    const char* name;
    int classes;
    Point (*mode)(int mode);  // null: pictures
};
constexpr ProceduralSet sets[] = {{"ring", 8, ring_mode}, {"grid", 25, grid_mode}, {"blobs", 3, nullptr}};

const ProceduralSet* find(const std::string& name) {
    const auto* found =
        std::find_if(std::begin(sets), std::end(sets), [&](const ProceduralSet& set) { return set.name == name; });
    return found == std::end(sets) ? nullptr : found;
}

void point(const Point& center, Draws& draws, uint8_t* to) {
    constexpr double deviation = 0.02;
    const double length = deviation * std::sqrt(-2 * std::log(draws.uniform())), turn = 2 * pi * draws.uniform();
    const double noise[2] = {length * std::cos(turn), length * std::sin(turn)};
    for (int i = 0; i < 2; ++i) to[i] = uint8_t(std::lround(std::clamp((center[i] + noise[i] + 1) * 127.5, 0.0, 255.0)));
}

// A colour of full saturation.
double hue_channel(double hue, int channel) {
    const double t = 6 * (hue + channel / 3.0);
    return std::clamp(std::abs(std::fmod(t, 6.0) - 3) - 1, 0.0, 1.0);
}

Image blobs(int count, int64_t side, Draws& draws) {
    std::vector<double> values(std::size_t(side * side * 3));
    double ground[3];
    for (double& g : ground) g = draws.uniform(0, 0.3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = ground[i % 3];
    for (int blob = 0; blob < count; ++blob) {
        const double x = draws.uniform(0.2, 0.8), y = draws.uniform(0.2, 0.8), radius = draws.uniform(0.06, 0.18),
                     hue = draws.uniform();
        std::vector<double> across, down;  // a spot is the product of its profiles
        for (int64_t i = 0; i < side; ++i) {
            const double at = (double(i) + 0.5) / double(side);
            across.push_back(std::exp(-(at - x) * (at - x) / (2 * radius * radius)));
            down.push_back(std::exp(-(at - y) * (at - y) / (2 * radius * radius)));
        }
        for (int c = 0; c < 3; ++c) {
            const double colour = hue_channel(hue, c);
            double* value = values.data() + c;
            for (int64_t row = 0; row < side; ++row)
                for (int64_t column = 0; column < side; ++column, value += 3)
                    *value += (colour - *value) * down[std::size_t(row)] * across[std::size_t(column)];
        }
    }
    Image picture{side, side, 3, {}};
    for (const double v : values) picture.bytes.push_back(uint8_t(std::lround(255 * v)));
    return picture;
}

}  // namespace

std::vector<std::string> procedural_names() {
    std::vector<std::string> names;
    for (const ProceduralSet& set : sets) names.emplace_back(set.name);
    return names;
}

bool is_procedural(const std::string& name) { return find(name); }

DatasetInfo procedural_info(const DatasetOptions& options) {
    for (const auto& [key, is_given] : {std::pair{"path", !options.path.empty()}, std::pair{"crop", options.crop > 0}})
        if (is_given)
            throw Error("the set \"" + options.set + "\" is computed, not read from files", options.where(key), "omit it");
    if (!find(options.set)->mode) {
        const int64_t side = options.size > 0 ? options.size : usual_size;
        return {side, side, options.channels ? options.channels : 3, options.first > 0 ? options.first : usual_count};
    }
    if (options.size > 1 || options.channels > 0)
        throw Error("the set \"" + options.set + "\" consists of points, which have no size and no channels",
                    options.where("set"), "omit data.size and data.channels");
    return {1, 1, 2, options.first > 0 ? options.first : usual_count};
}

Dataset procedural_set(const DatasetOptions& options, ThreadPool& threads) {
    if (options.split != "train" && options.split != "test")
        throw Error("unknown split \"" + options.split + "\"", options.where("split"), "the splits are train and test");
    const DatasetInfo info = procedural_info(options);
    const int64_t count = info.count, each = info.H * info.W * info.C;
    check_memory(count, info.H, info.W, info.C, options.where(options.first > 0 ? "first" : "size"), options.free);
    Dataset set{.name = options.set, .source = options.set, .count = count, .H = info.H, .W = info.W, .C = info.C};
    set.pixels.resize(std::size_t(count * each));
    set.labels.resize(std::size_t(count));
    const ProceduralSet& made = *find(options.set);
    const int64_t at_once = made.mode ? 1024 : 8;
    parallel_for(threads, (count + at_once - 1) / at_once, [&](int64_t task) {
        for (int64_t i = task * at_once; i < std::min(count, (task + 1) * at_once); ++i) {
            Draws draws(i, options.split == "test");
            const int number = int(i % made.classes);
            set.labels[std::size_t(i)] = uint8_t(number);
            uint8_t* to = set.pixels.data() + i * each;
            if (made.mode) {
                point(made.mode(number), draws, to);
                continue;
            }
            const Image picture = with_channels(blobs(number + 1, info.H, draws), info.C);
            std::copy(picture.bytes.begin(), picture.bytes.end(), to);
        }
    });
    return set;
}

Dataset noise_images(int64_t count, int64_t H, int64_t W, int64_t C) {
    Dataset data{.name = "noise", .source = "noise", .count = count, .H = H, .W = W, .C = C};
    data.pixels.resize(std::size_t(count * H * W * C));
    uint32_t state = 1;  // linear congruential generator of Numerical Recipes; its quality does not matter here
    for (uint8_t& pixel : data.pixels) pixel = uint8_t((state = state * 1664525 + 1013904223) >> 24);
    return data;
}

}  // namespace gannet
