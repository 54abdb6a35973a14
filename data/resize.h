// Antialiased bilinear resize of byte images.
#pragma once
#include <cstdint>
#include <vector>

namespace gannet {

// NHWC bytes of N images to N images of out_H x out_W. A triangle filter whose support grows with the reduction, columns
// before rows, each rounded to a byte: the values of PIL's Image.resize((out_W, out_H), BILINEAR), within one level (PIL
// does rows first where height shrinks and width grows; otherwise they are equal).
std::vector<uint8_t> resize_images(const uint8_t* pixels, int64_t N, int64_t H, int64_t W, int64_t C, int64_t out_H,
                                   int64_t out_W);

}  // namespace gannet
