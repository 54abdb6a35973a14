// A tensor: shape, dtype, device, shared buffer and offset. Always contiguous and row-major; no strides.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor/device.h"

namespace gannet {

enum class Dtype : uint8_t { f32, f64, u8 };
std::size_t size_of(Dtype dtype);
template <class T>
constexpr Dtype dtype_of() {
    if constexpr (std::is_same_v<T, float>) return Dtype::f32;
    if constexpr (std::is_same_v<T, double>) return Dtype::f64;
    if constexpr (std::is_same_v<T, uint8_t>) return Dtype::u8;
}

// Extents, outermost first. A scalar has no axes.
class Shape : public std::vector<int64_t> {
public:
    using std::vector<int64_t>::vector;
    int64_t elements() const;
    std::string str() const;  // "(64, 28, 28, 1)"
};

struct Node;  // engine/autograd/tape.h

class Tensor {
public:
    Tensor() = default;  // no tensor: an absent bias, a zero gradient

    // Memory is not initialised.
    static Tensor empty(Shape shape, const Device& device = Device::cpu(), Dtype dtype = dtype_of<real>());
    static Tensor full(Shape shape, real value, const Device& device = Device::cpu());
    static Tensor from(const std::vector<real>& values, Shape shape, const Device& device = Device::cpu());
    static Tensor from_bytes(const std::vector<uint8_t>& values, Shape shape, const Device& device = Device::cpu());

    explicit operator bool() const { return impl_ != nullptr; }
    const Shape& shape() const;
    int64_t size() const { return shape().elements(); }
    int64_t dim(int axis) const { return shape()[std::size_t(axis < 0 ? int(shape().size()) + axis : axis)]; }
    const Device& device() const;
    Dtype dtype() const;

    real* data() const { return static_cast<real*>(raw()); }
    uint8_t* bytes() const { return static_cast<uint8_t*>(raw()); }
    void* raw() const;

    // A tensor with the same memory that is not on the tape.
    Tensor detach() const { return view(shape()); }
    // The same memory with another shape of the same size, or rows [begin, begin + rows) of axis 0; not recorded (engine/autograd
    // has the recorded forms).
    Tensor view(Shape shape) const;
    Tensor rows(int64_t begin, int64_t rows) const;

    std::vector<real> to_host() const;
    real item() const;  // of a tensor with one element; waits for the device

    // A leaf of the tape: grad() can compute its gradient.
    Tensor& set_requires_grad(bool on = true);
    bool requires_grad() const;  // a leaf marked for it, or computed from one

    // ---- for the tape
    struct Impl;
    const std::shared_ptr<Impl>& impl() const { return impl_; }
    explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<Impl> impl_;
};

struct Tensor::Impl {
    Impl(std::shared_ptr<Buffer> memory, std::size_t byte_offset, Shape extents, Dtype type);
    ~Impl();
    std::shared_ptr<Buffer> buffer;
    std::size_t offset;
    Shape shape;
    Dtype dtype;
    int64_t id;                  // grows with every tensor: a topological order
    bool requires_grad = false;  // leaves only
    std::shared_ptr<Node> node;  // the node that computed it, if recorded
    int output = 0;              // its index among the node's outputs
};

// The number of tensors that exist now; the same before and after a training step.
int64_t live_tensors();

}  // namespace gannet
