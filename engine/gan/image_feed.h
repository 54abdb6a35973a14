// The real images of a training. They are resident in device memory as bytes; a set that does not fit is streamed: while the
// device works on one step, the host gathers the next one's images into pinned memory and they are copied over.
#pragma once
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "engine/config/model.h"
#include "engine/tensor/tensor.h"

namespace gannet {

class ImageFeed {
public:
    // `data` must outlive it. A step takes `images_per_step` images.
    ImageFeed(const config::ModelConfig& config, const Dataset& data, int64_t images_per_step, Device device);

    int64_t images_per_epoch() const { return order_.usable; }
    bool streamed() const { return bool(ring_); }

    // Before every step, outside of anything recorded: the images of the step at `position` will be there.
    void prepare(const Counters& position);
    // (batch, H, W, C): images [images_seen + first, + batch) of the endless sequence, where `counters` say how many were seen.
    Tensor batch(int64_t first, int64_t batch, const Counters* counters) const;
    // The first images of the first epoch.
    Tensor first(int64_t count) const;

private:
    std::vector<uint8_t> gathered(int64_t position, int64_t count) const;
    Tensor gather(const Tensor& bytes, const GatherShape& shape, const Counters* counters) const;

    const Dataset& data_;
    Device device_;
    GatherShape order_;
    int64_t images_per_step_;
    Tensor pixels_;  // all, or those of a step
    std::unique_ptr<UploadRing> ring_;
    int64_t submitted_ = -1;  // position of the images under way
};

}  // namespace gannet
