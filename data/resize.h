// Antialiased bilinear resize of byte images.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace gannet {

// Resizes NHWC bytes of N images to N images of out_H x out_W with a triangle filter; its support grows with the reduction.
// Columns are filtered before rows, each rounded to a byte. The values equal those of PIL's Image.resize((out_W, out_H),
// BILINEAR), or differ by one level if the height shrinks and the width grows (PIL then filters rows first). Each value is
// written `copies` times, to convert grey to colour.
std::vector<uint8_t> resize_images(const uint8_t* pixels, int64_t N, int64_t H, int64_t W, int64_t C, int64_t out_H,
                                   int64_t out_W, ThreadPool& threads, int64_t copies = 1);

// A window of a resized image: H x W pixels starting at (top, left) of full_H x full_W.
struct ResizeWindow {
    int64_t full_H = 0, full_W = 0, top = 0, left = 0, H = 0, W = 0;
};

// The same for one image; computes only the window.
std::vector<uint8_t> resize_window(const uint8_t* pixels, int64_t H, int64_t W, int64_t C, const ResizeWindow& window);

}  // namespace gannet
