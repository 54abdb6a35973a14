#include "data/resize.h"

#include <algorithm>
#include <cmath>

namespace gannet {
namespace {

constexpr int fraction_bits = 22;  // 8 bits of value, 22 of weight, 2 to spare in 32

// The inputs of one output: `weights` of the inputs from `first` on, in fixed point.
struct Taps {
    int64_t first = 0;
    std::vector<int32_t> weights;
};

std::vector<Taps> triangle(int64_t in, int64_t out) {
    const double scale = double(in) / double(out), support = std::max(scale, 1.0);
    std::vector<Taps> all;
    for (int64_t o = 0; o < out; ++o) {
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

}  // namespace

std::vector<uint8_t> resize_images(const uint8_t* pixels, int64_t N, int64_t H, int64_t W, int64_t C, int64_t out_H,
                                   int64_t out_W) {
    const std::vector<Taps> columns = triangle(W, out_W), rows = triangle(H, out_H);
    std::vector<uint8_t> result(std::size_t(N * out_H * out_W * C)), narrow(std::size_t(H * out_W * C));
    std::vector<int32_t> sums(std::size_t(out_W * C));
    for (int64_t n = 0; n < N; ++n) {
        const uint8_t* x = pixels + n * H * W * C;
        uint8_t* to = narrow.data();
        for (int64_t h = 0; h < H; ++h)
            for (const Taps& taps : columns)
                for (int64_t c = 0; c < C; ++c) {
                    const uint8_t* from = x + (h * W + taps.first) * C + c;
                    int32_t sum = 1 << (fraction_bits - 1);
                    for (std::size_t i = 0; i < taps.weights.size(); ++i) sum += taps.weights[i] * from[int64_t(i) * C];
                    *to++ = to_byte(sum);
                }
        uint8_t* y = result.data() + n * out_H * out_W * C;
        for (const Taps& taps : rows) {
            std::fill(sums.begin(), sums.end(), 1 << (fraction_bits - 1));
            for (std::size_t i = 0; i < taps.weights.size(); ++i) {
                const uint8_t* from = narrow.data() + (taps.first + int64_t(i)) * out_W * C;
                for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += taps.weights[i] * from[j];
            }
            for (int32_t sum : sums) *y++ = to_byte(sum);
        }
    }
    return result;
}

}  // namespace gannet
