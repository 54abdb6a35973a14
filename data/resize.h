// Antialiased bilinear resize of byte images.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace gannet {

// NHWC bytes of N images to N images of out_H x out_W. A triangle filter whose support grows with the reduction, columns
// before rows, each rounded to a byte: the values of PIL's Image.resize((out_W, out_H), BILINEAR), within one level (PIL
// does rows first where height shrinks and width grows; otherwise they are equal). Each value is written `copies` times: grey as
// colour.
std::vector<uint8_t> resize_images(const uint8_t* pixels, int64_t N, int64_t H, int64_t W, int64_t C, int64_t out_H,
                                   int64_t out_W, ThreadPool& threads, int64_t copies = 1);

// What of a resized image is wanted: H x W pixels from (top, left) on, where all of it would be full_H x full_W.
struct ResizeWindow {
    int64_t full_H = 0, full_W = 0, top = 0, left = 0, H = 0, W = 0;
};

// The same of one image, of which nothing outside the window is computed.
std::vector<uint8_t> resize_window(const uint8_t* pixels, int64_t H, int64_t W, int64_t C, const ResizeWindow& window);

}  // namespace gannet
