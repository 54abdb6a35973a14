#include "data/resize.h"

#include <algorithm>
#include <cmath>

namespace gannet {
namespace {

constexpr int fraction_bits = 22;  // 8 bits of value, 22 of weight, 2 to spare in 32

// The inputs of one output: `weights` of the inputs starting at `first`, in fixed point.
struct Taps {
    int64_t first = 0;
    std::vector<int32_t> weights;
    int64_t end() const { return first + int64_t(weights.size()); }
};

// The outputs [begin, begin + count) of `out`.
std::vector<Taps> triangle(int64_t in, int64_t out, int64_t begin, int64_t count) {
    const double scale = double(in) / double(out), support = std::max(scale, 1.0);
    std::vector<Taps> all;
    for (int64_t o = begin; o < begin + count; ++o) {
        const double center = (double(o) + 0.5) * scale;
        Taps taps;
        taps.first = std::max<int64_t>(int64_t(center - support + 0.5), 0);
        const int64_t end = std::min<int64_t>(int64_t(center + support + 0.5), in);
        std::vector<double> w;
        double sum = 0;
        for (int64_t i = taps.first; i < end; ++i) {
            w.push_back(std::max(0.0, 1 - std::abs((double(i) - center + 0.5) / support)));
            sum += w.back();
        }
        for (double x : w) taps.weights.push_back(int32_t(x / sum * (1 << fraction_bits) + 0.5));
        all.push_back(std::move(taps));
    }
    return all;
}

uint8_t to_byte(int32_t sum) { return uint8_t(std::clamp(sum >> fraction_bits, 0, 255)); }

class Resizer {
public:
    Resizer(int64_t H, int64_t W, int64_t C, const ResizeWindow& window)
        : W_(W),
          C_(C),
          columns_(triangle(W, window.full_W, window.left, window.W)),
          rows_(triangle(H, window.full_H, window.top, window.H)),
          first_row_(rows_.front().first),
          end_row_(first_row_) {
        for (const Taps& taps : rows_) end_row_ = std::max(end_row_, taps.end());
    }

    void run(const uint8_t* x, uint8_t* y, int64_t copies) const {
        const int64_t width = int64_t(columns_.size()) * C_;
        std::vector<uint8_t> narrow(std::size_t((end_row_ - first_row_) * width));
        uint8_t* to = narrow.data();
        for (int64_t h = first_row_; h < end_row_; ++h)
            for (const Taps& taps : columns_)
                for (int64_t c = 0; c < C_; ++c) {
                    const uint8_t* from = x + (h * W_ + taps.first) * C_ + c;
                    int32_t sum = 1 << (fraction_bits - 1);
                    for (std::size_t i = 0; i < taps.weights.size(); ++i) sum += taps.weights[i] * from[int64_t(i) * C_];
                    *to++ = to_byte(sum);
                }
        std::vector<int32_t> sums(static_cast<std::size_t>(width));
        for (const Taps& taps : rows_) {
            std::fill(sums.begin(), sums.end(), 1 << (fraction_bits - 1));
            for (std::size_t i = 0; i < taps.weights.size(); ++i) {
                const uint8_t* from = narrow.data() + (taps.first - first_row_ + int64_t(i)) * width;
                for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += taps.weights[i] * from[j];
            }
            for (int32_t sum : sums)
                for (int64_t i = 0; i < copies; ++i) *y++ = to_byte(sum);
        }
    }

private:
    int64_t W_, C_;
    std::vector<Taps> columns_, rows_;
    int64_t first_row_, end_row_;  // the rows of the input that the window needs
};

}  // namespace

std::vector<uint8_t> resize_window(const uint8_t* pixels, int64_t H, int64_t W, int64_t C, const ResizeWindow& window) {
    std::vector<uint8_t> result(std::size_t(window.H * window.W * C));
    Resizer(H, W, C, window).run(pixels, result.data(), 1);
    return result;
}

std::vector<uint8_t> resize_images(const uint8_t* pixels, int64_t N, int64_t H, int64_t W, int64_t C, int64_t out_H,
                                   int64_t out_W, ThreadPool& threads, int64_t copies) {
    constexpr int64_t at_once = 64;
    const Resizer resizer(H, W, C, {out_H, out_W, 0, 0, out_H, out_W});
    const int64_t size = out_H * out_W * C * copies;
    std::vector<uint8_t> result(std::size_t(N * size));
    parallel_for(threads, (N + at_once - 1) / at_once, [&](int64_t task) {
        for (int64_t n = task * at_once; n < std::min(N, (task + 1) * at_once); ++n)
            resizer.run(pixels + n * H * W * C, result.data() + n * size, copies);
    });
    return result;
}

}  // namespace gannet
