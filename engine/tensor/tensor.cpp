#include "engine/tensor/tensor.h"

#include <atomic>

#include "base/error.h"
#include "base/extents.h"

namespace gannet {
namespace {
std::atomic<int64_t> live{0};
std::atomic<int64_t> next_id{0};
}  // namespace

std::size_t size_of(Dtype dtype) {
    switch (dtype) {
        case Dtype::f32: return 4;
        case Dtype::f64: return 8;
        case Dtype::u8: return 1;
    }
    return 0;
}

int64_t Shape::elements() const {
    int64_t n = 1;
    if (!multiply(n, *this))
        throw Error("shape " + str() + " has too many elements", "tensor", "lower `batch` or the layers' sizes");
    return n;
}

std::string Shape::str() const {
    std::string text = "(";
    for (std::size_t i = 0; i < size(); ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
    return text + ")";
}

Tensor::Impl::Impl(std::shared_ptr<Buffer> memory, std::size_t byte_offset, Shape extents, Dtype type)
    : buffer(std::move(memory)), offset(byte_offset), shape(std::move(extents)), dtype(type), id(next_id++) {
    ++live;
}
// Freeing the last tensor of a graph frees its node, the node's inputs, their nodes and so on: in a loop, not by recursion.
Tensor::Impl::~Impl() {
    --live;
    if (!node) return;
    thread_local std::vector<std::shared_ptr<Node>>* pending = nullptr;
    if (pending) {
        pending->push_back(std::move(node));
        return;
    }
    std::vector<std::shared_ptr<Node>> nodes{std::move(node)};
    pending = &nodes;
    while (!nodes.empty()) {
        const std::shared_ptr<Node> last = std::move(nodes.back());
        nodes.pop_back();
    }
    pending = nullptr;
}

int64_t live_tensors() { return live; }

Tensor Tensor::empty(Shape shape, const Device& device, Dtype dtype) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(shape.elements(), size_of(dtype), &bytes))
        throw Error("shape " + shape.str() + " has too many elements", "tensor", "lower `batch` or the layers' sizes");
    return Tensor(std::make_shared<Impl>(std::make_shared<Buffer>(device, bytes), 0, std::move(shape), dtype));
}

Tensor Tensor::full(Shape shape, real value, const Device& device) {
    Tensor y = empty(std::move(shape), device);
    RUN(device, fill, y.data(), value, y.size());
    return y;
}

Tensor Tensor::from(const std::vector<real>& values, Shape shape, const Device& device) {
    if (int64_t(values.size()) != shape.elements())
        throw Error("Tensor::from: " + std::to_string(values.size()) + " values for shape " + shape.str());
    Tensor y = empty(std::move(shape), device);
    device.copy_from_host(y.raw(), values.data(), values.size() * sizeof(real));
    return y;
}

Tensor Tensor::from_bytes(const std::vector<uint8_t>& values, Shape shape, const Device& device) {
    if (int64_t(values.size()) != shape.elements())
        throw Error("Tensor::from_bytes: " + std::to_string(values.size()) + " values for shape " + shape.str());
    Tensor y = empty(std::move(shape), device, Dtype::u8);
    device.copy_from_host(y.raw(), values.data(), values.size());
    return y;
}

const Shape& Tensor::shape() const { return impl_->shape; }
const Device& Tensor::device() const { return impl_->buffer->device(); }
Dtype Tensor::dtype() const { return impl_->dtype; }
void* Tensor::raw() const { return static_cast<char*>(impl_->buffer->data()) + impl_->offset; }

Tensor Tensor::view(Shape new_shape) const {
    if (new_shape.elements() != size()) throw Error("view: " + shape().str() + " has not as many elements as " + new_shape.str());
    return Tensor(std::make_shared<Impl>(impl_->buffer, impl_->offset, std::move(new_shape), dtype()));
}

Tensor Tensor::rows(int64_t begin, int64_t count) const {
    if (shape().empty() || begin < 0 || count < 0 || begin + count > dim(0))
        throw Error("rows: [" + std::to_string(begin) + ", " + std::to_string(begin + count) + ") of shape " + shape().str());
    Shape part = shape();
    part[0] = count;
    const int64_t per_row = dim(0) ? size() / dim(0) : 0;
    return Tensor(
        std::make_shared<Impl>(impl_->buffer, impl_->offset + std::size_t(begin * per_row) * size_of(dtype()), part, dtype()));
}

std::vector<real> Tensor::to_host() const {
    std::vector<real> values(static_cast<std::size_t>(size()));
    device().copy_to_host(values.data(), raw(), values.size() * sizeof(real));
    return values;
}

real Tensor::item() const {
    if (size() != 1) throw Error("item: shape " + shape().str() + " has not one element");
    return to_host()[0];
}

Tensor& Tensor::set_requires_grad(bool on) {
    impl_->requires_grad = on;
    return *this;
}
bool Tensor::requires_grad() const { return impl_ && (impl_->requires_grad || impl_->node); }

}  // namespace gannet
