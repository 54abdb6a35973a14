// The real images of a training, as bytes. A GPU keeps them in its memory; a set that does not fit is streamed: while the
// device works on one step, the host gathers the next one's images into pinned memory and they are copied over.
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

    // Before every step, outside of anything recorded: images [position, position + images) of the endless sequence will be
    // there, and after them, in the next step, `next` more.
    void prepare(int64_t position, int64_t images, int64_t next);
    // (batch, H, W, C): images [images_seen + first, + batch) of the endless sequence, where `counters` say how many were seen.
    // Written `into` memory of that shape, if it is given.
    Tensor batch(int64_t first, int64_t batch, const Counters* counters, const Tensor& into = {}) const;
    // (batch): their labels, whole numbers. Throws Error where the data set has none.
    Tensor labels(int64_t first, int64_t batch, const Counters* counters) const;
    // The first images of the first epoch.
    Tensor first(int64_t count) const;

private:
    std::vector<uint8_t> gathered(int64_t position, int64_t count) const;
    const uint8_t* images() const;  // where the device reads them
    Tensor gather(const uint8_t* bytes, const GatherShape& shape, const Counters* counters, const Tensor& into = {}) const;

    const Dataset& data_;
    Device device_;
    GatherShape order_;
    int64_t images_ = 0;  // of the step
    Tensor pixels_;       // all, or those of a step; absent on a CPU, which reads the data set's own
    Tensor labels_;       // all; absent where the data set has none
    std::unique_ptr<UploadRing> ring_;
    int64_t submitted_ = -1;  // position of the images under way
};

}  // namespace gannet
