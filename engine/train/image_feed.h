// The real images of a training, as bytes. A GPU keeps them in its memory. A set that does not fit is streamed: while the device
// executes a step, the host gathers the images of the next one in pinned memory and copies them.
#pragma once
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "engine/model/model.h"
#include "engine/tensor/tensor.h"

namespace gannet {

class ImageFeed {
public:
    // `data` must outlive it. A step takes at most `most_images` images.
    ImageFeed(const config::SharedConfig& config, const Dataset& data, int64_t most_images, Device device);

    int64_t images_per_epoch() const { return order_.usable; }
    bool streamed() const { return bool(ring_); }

    // To be called before every step, outside of recordings: makes images [position, position + images) of the endless sequence
    // available, and prefetches `next` more for the step after.
    void prepare(int64_t position, int64_t images, int64_t next);
    // (batch, H, W, C): images [images_seen + first, + batch) of the endless sequence; `counters` hold images_seen. Written
    // `into` memory of that shape, if given.
    Tensor batch(int64_t first, int64_t batch, DeviceAddress<Counters> counters, const Tensor& into = {}) const;
    // (batch): their labels, integers. Throws Error if the data set has none.
    Tensor labels(int64_t first, int64_t batch, DeviceAddress<Counters> counters) const;
    // The first images of the first epoch.
    Tensor first(int64_t count) const;

private:
    std::vector<uint8_t> gathered(int64_t position, int64_t count) const;
    const uint8_t* images() const;  // where the device reads them
    Tensor gather(const uint8_t* bytes, const GatherShape& shape, DeviceAddress<Counters> counters,
                  const Tensor& into = {}) const;

    const Dataset& data_;
    Device device_;
    GatherShape order_;
    int64_t images_ = 0;  // of the step
    Tensor pixels_;       // all images, or those of a step; absent on a CPU, which reads those of the data set
    Tensor labels_;       // all labels; absent if the data set has none
    std::unique_ptr<UploadRing> ring_;
    int64_t submitted_ = -1;  // position of the images under way
};

}  // namespace gannet
