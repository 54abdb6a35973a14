#include "engine/train/image_feed.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "kernels/philox.h"

namespace gannet {

ImageFeed::ImageFeed(const config::SharedConfig& config, const Dataset& data, int64_t most_images, Device device)
    : data_(data), device_(device) {
    if (data.count < config.batch)
        throw Error("the data set has " + counted(data.count, "image") + ", fewer than a batch of " + grouped(config.batch),
                    data.source, "lower `batch`");
    order_ = {.count = data.count,
              .usable = data.count / config.batch * config.batch,
              .per_image = data.H * data.W * data.C,
              .batch = config.batch,
              .seed = config.seed,
              .scale = real((config.data.white - config.data.black) / 255),
              .offset = real(config.data.black),
              .shuffle = config.data.shuffle};
    // Half of the free memory is left for the training itself.
    using Data = config::CudaConfig::Data;
    const bool stream = config.cuda.data == Data::streamed ||
                        (config.cuda.data == Data::automatic && int64_t(data.pixels.size()) > device.available_memory() / 2);
    if (stream) ring_ = device.upload_ring(std::size_t(most_images * order_.per_image));
    try {
        if (ring_) pixels_ = Tensor::empty({most_images, data.H, data.W, data.C}, device, Dtype::u8);
        else if (device.is_cuda()) pixels_ = Tensor::from_bytes(data.pixels, {data.count, data.H, data.W, data.C}, device);
    } catch (const Error&) {
        if (ring_ || !device.is_cuda()) throw;
        throw Error("the device's memory cannot hold the " + std::to_string(data.pixels.size() >> 20) + " MiB of images",
                    config.where("cuda.data"), "set cuda.data to \"streamed\", or to \"auto\"");
    }
    if (!data.labels.empty()) labels_ = Tensor::from_bytes(data.labels, {data.count, 1, 1, 1}, device);
}

// Bytes of images [position, position + count) of the endless sequence.
std::vector<uint8_t> ImageFeed::gathered(int64_t position, int64_t count) const {
    std::vector<uint8_t> bytes(std::size_t(count * order_.per_image));
    for (int64_t i = 0; i < count; ++i) {
        const int64_t epoch = (position + i) / order_.usable, index = (position + i) % order_.usable;
        const int64_t image = order_.shuffle ? shuffled_index(order_.seed, epoch, index, order_.count) : index;
        std::copy_n(data_.pixels.begin() + image * order_.per_image, order_.per_image, bytes.begin() + i * order_.per_image);
    }
    return bytes;
}

void ImageFeed::prepare(int64_t position, int64_t images, int64_t next) {
    images_ = images;
    if (!ring_) return;
    const auto submit = [&](int64_t from, int64_t count) {
        // the kernel reads image p of the endless sequence from place p % count
        const std::vector<uint8_t> bytes = gathered(from, count);
        const auto first = bytes.begin() + (count - from % count) % count * order_.per_image;
        std::copy(bytes.begin(), first, std::copy(first, bytes.end(), ring_->next()));
        ring_->submit(bytes.size());
        submitted_ = from;
    };
    if (submitted_ >= 0 && submitted_ != position) ring_->take(pixels_.raw());  // of a step that will not happen
    if (submitted_ != position) submit(position, images);
    ring_->take(pixels_.raw());
    submit(position + images, next);
}

const uint8_t* ImageFeed::images() const { return pixels_ ? static_cast<const uint8_t*>(pixels_.bytes()) : data_.pixels.data(); }

Tensor ImageFeed::gather(const uint8_t* bytes, const GatherShape& shape, DeviceAddress<Counters> counters,
                         const Tensor& into) const {
    Tensor x = into ? into : Tensor::empty({shape.batch, data_.H, data_.W, data_.C}, device_);
    RUN(device_, gather_images, x.data(), bytes, counters.for_kernel(), shape);
    return x;
}

Tensor ImageFeed::batch(int64_t first, int64_t batch, DeviceAddress<Counters> counters, const Tensor& into) const {
    GatherShape s = order_;
    s.first = first;
    s.batch = batch;
    if (ring_) {  // those of one step, in order
        s.count = s.usable = images_;
        s.shuffle = false;
    }
    return gather(images(), s, counters, into);
}

Tensor ImageFeed::labels(int64_t first, int64_t batch, DeviceAddress<Counters> counters) const {
    if (!labels_) throw Error("the data set '" + data_.name + "' has no labels", data_.source, "a classifier needs them");
    GatherShape s = order_;
    s.per_image = 1;
    s.first = first;
    s.batch = batch;
    s.scale = 1;
    s.offset = 0;
    return gather(static_cast<const uint8_t*>(labels_.bytes()), s, counters, Tensor::empty({batch}, device_));
}

Tensor ImageFeed::first(int64_t count) const {
    GatherShape s = order_;
    s.batch = count;
    const DeviceValue<Counters> start(device_);
    if (!ring_) return gather(images(), s, start.data());
    s.count = s.usable = count;
    s.shuffle = false;
    const Tensor some = Tensor::from_bytes(gathered(0, count), {count, data_.H, data_.W, data_.C}, device_);
    return gather(static_cast<const uint8_t*>(some.bytes()), s, start.data());
}

}  // namespace gannet
