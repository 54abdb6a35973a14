// A device runs kernels and owns memory: the CPU (one of its instruction sets) or one GPU.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/tensor/pool.h"
#include "kernels/kernels.h"

namespace gannet {

// Work that a device recorded once (engine/tensor/workspace.h) and replays as a whole.
class RecordedWork {
public:
    virtual ~RecordedWork() = default;
    virtual void replay() = 0;
    virtual int kernels() const = 0;  // launches in it
};

// Bytes on their way to a device while it works: two buffers of pinned host memory, two on the device.
class UploadRing {
public:
    virtual ~UploadRing() = default;
    virtual uint8_t* next() = 0;                 // a host buffer to fill; waits until its last copy is done
    virtual void submit(std::size_t bytes) = 0;  // begins to copy its first `bytes`
    virtual void take(void* to) = 0;             // the oldest that was submitted, in the order of the device's own work
};

// What a device could do at most; zeros where it does not tell.
struct DevicePeaks {
    double flops = 0;             // a second, fp32 multiplications and additions without tensor cores
    double bytes_per_second = 0;  // of its memory
};

class Device {
public:
    // The CPU with the best instruction set of this machine, or the one that GANNET_ISA=scalar|avx2|avx512 names.
    static Device cpu();
    static Device cpu(Backend isa);
    static bool supports(Backend isa);
    // The GPU; cuda_unusable() says in one line why there is none, "" if there is.
    static Device cuda() { return Device(Backend::cuda); }
    static std::string cuda_unusable();

    Backend backend() const { return backend_; }
    bool is_cuda() const { return backend_ == Backend::cuda; }
    Stream stream() const;
    std::string name() const;  // "cpu (avx512)", "cuda (NVIDIA H100 80GB HBM3, sm_90)"

    void* allocate(std::size_t bytes) const;  // 64-byte aligned; never null
    void release(void* data, std::size_t bytes) const;
    void copy_from_host(void* to, const void* from, std::size_t bytes) const;
    void copy_to_host(void* to, const void* from, std::size_t bytes) const;
    MemoryStats memory() const;
    int64_t available_memory() const;  // bytes that this process can still take
    DevicePeaks peaks() const;         // of a GPU, by its clocks; a CPU does not tell

    // How long what `work` gives to the device takes there: between two events of a GPU, by the clock of a CPU.
    double seconds(const std::function<void()>& work) const;

    // Null where the device's memory is the host's.
    std::unique_ptr<UploadRing> upload_ring(std::size_t bytes) const;

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
