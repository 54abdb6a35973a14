// A device runs kernels and owns memory: the CPU (one of its instruction sets) or one GPU.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/kernels.h"

namespace gannet {

// Freed blocks are kept by size and handed out again, so that a warm training step allocates nothing.
struct MemoryStats {
    int64_t live_bytes = 0;    // handed out now
    int64_t peak_bytes = 0;    // most ever handed out
    int64_t held_bytes = 0;    // taken from the system
    int64_t system_calls = 0;  // allocations that the pool could not serve
};

class Device {
public:
    // The CPU with the best instruction set of this machine, or the one that GANNET_ISA=scalar|avx2|avx512 names.
    static Device cpu();
    static Device cpu(Backend isa);
    static bool supports(Backend isa);

    Backend backend() const { return backend_; }
    Stream stream() const { return {}; }
    std::string name() const;  // "cpu (avx512)"

    void* allocate(std::size_t bytes) const;  // 64-byte aligned; never null
    void release(void* data, std::size_t bytes) const;
    void copy_from_host(void* to, const void* from, std::size_t bytes) const;
    void copy_to_host(void* to, const void* from, std::size_t bytes) const;
    MemoryStats memory() const;
    int64_t available_memory() const;  // bytes that nobody uses now

    bool operator==(const Device&) const = default;

private:
    explicit Device(Backend backend) : backend_(backend) {}
    Backend backend_;
};

// Memory of a device, returned to its pool by the last owner.
class Buffer {
public:
    Buffer(Device device, std::size_t bytes) : device_(device), data_(device.allocate(bytes)), bytes_(bytes) {}
    ~Buffer() { device_.release(data_, bytes_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    Device device() const { return device_; }
    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

private:
    Device device_;
    void* data_;
    std::size_t bytes_;
};

// A small struct in device memory that the host sets and kernels read and advance.
template <class T>
class DeviceValue {
public:
    explicit DeviceValue(Device device, const T& value = {}) : buffer_(std::make_shared<Buffer>(device, sizeof(T))) {
        set(value);
    }
    void set(const T& value) { buffer_->device().copy_from_host(buffer_->data(), &value, sizeof(T)); }
    T get() const {
        T value;
        buffer_->device().copy_to_host(&value, buffer_->data(), sizeof(T));
        return value;
    }
    T* data() const { return static_cast<T*>(buffer_->data()); }

private:
    std::shared_ptr<Buffer> buffer_;
};

}  // namespace gannet
