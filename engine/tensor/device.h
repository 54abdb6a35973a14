// A device runs kernels and owns memory: the CPU (one of its instruction sets) or one GPU, with its settings.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor/pool.h"
#include "kernels/cpu/parallel.h"
#include "kernels/execution.h"
#include "kernels/kernels.h"

namespace gannet {

// Work that a device recorded once (engine/tensor/workspace.h) and can replay.
class RecordedWork {
public:
    virtual ~RecordedWork() = default;
    virtual void replay() = 0;
    virtual int kernels() const = 0;  // launches in it
};

// Asynchronous copies to a device: two buffers in pinned host memory, two on the device.
class UploadRing {
public:
    virtual ~UploadRing() = default;
    virtual uint8_t* next() = 0;                 // a host buffer to fill; waits until its last copy is done
    virtual void submit(std::size_t bytes) = 0;  // starts copying its first `bytes`
    virtual void take(void* to) = 0;             // the oldest submitted copy, in the order of the device's stream
};

// Peak rates of a device; zeros if unknown.
struct DevicePeaks {
    double flops = 0;             // a second, fp32 multiplications and additions without tensor cores
    double bytes_per_second = 0;  // of its memory
};

// A CPU or a GPU: its memory, and on a GPU its stream. All devices with one index share it, whatever their settings.
class Hardware {
public:
    virtual std::string name() const = 0;
    virtual Pool& pool() = 0;
    virtual void copy_from_host(void* to, const void* from, std::size_t bytes) = 0;
    virtual void copy_to_host(void* to, const void* from, std::size_t bytes) = 0;  // waits
    virtual int64_t available_memory() = 0;
    virtual DevicePeaks peaks() { return {}; }
    virtual double seconds(const std::function<void()>& work) = 0;
    virtual std::unique_ptr<UploadRing> upload_ring(std::size_t) { return nullptr; }
    virtual bool records() const { return false; }
    virtual std::unique_ptr<RecordedWork> record(const std::function<void()>&) { return nullptr; }
    virtual Execution execution() { return {}; }  // of a GPU: its stream, scratch memory and cuBLAS

protected:
    ~Hardware() = default;  // never destroyed
};

// A handle of hardware with settings, which never change, and threads. Copies are the same device.
class Device {
public:
    // The CPU with the instruction set best_isa() and default settings.
    static const Device& cpu();
    // Each has threads of its own, which it starts when they are first needed; how many: kernels/cpu/parallel.h. So has a GPU,
    // for the work of its host: decoding, diagnostics, metrics.
    static Device cpu(Backend isa, const Numerics& numerics = {}, int threads = 0);
    // The best instruction set of this machine, or the one that GANNET_ISA=scalar|avx2|avx512 names.
    static Backend best_isa();
    static bool supports(Backend isa);
    // GPU number `index`; cuda_unusable() says in one line why it cannot be used, "" if it can.
    static Device cuda(int index = 0, const Numerics& numerics = {}, int threads = 0);
    static std::string cuda_unusable(int index = 0);
    // The same hardware and threads, with other settings.
    Device with(const Numerics& numerics) const;
    // The CPU of the same threads, with another instruction set. Of a GPU: its host.
    Device on_cpu(Backend isa) const;
    // The same; also adds each distinct matrix product on a GPU to `into`.
    Device noting(std::vector<TunedProduct>& into) const;

    Backend backend() const { return state_->backend; }
    bool is_cuda() const { return backend() == Backend::cuda; }
    int index() const { return state_->execution.gpu; }
    const Numerics& numerics() const { return state_->execution.numerics; }
    Stream stream() const { return &state_->execution; }
    ThreadPool& threads() const { return *state_->threads; }
    Hardware& hardware() const { return *state_->hardware; }
    std::string name() const;  // "cpu (avx512)", "cuda (NVIDIA H100 80GB HBM3, sm_90)", "cuda:1 (..."

    void* allocate(std::size_t bytes) const;  // 64-byte aligned; never null
    void release(void* data, std::size_t bytes) const { hardware().pool().release(data, bytes); }
    void copy_from_host(void* to, const void* from, std::size_t bytes) const { hardware().copy_from_host(to, from, bytes); }
    void copy_to_host(void* to, const void* from, std::size_t bytes) const { hardware().copy_to_host(to, from, bytes); }
    MemoryStats memory() const { return hardware().pool().stats(); }
    int64_t available_memory() const { return hardware().available_memory(); }  // bytes that this process can still allocate
    DevicePeaks peaks() const { return hardware().peaks(); }                    // of a GPU, by its clocks; a CPU does not tell

    // The time that the device needs for `work`: between two events on a GPU, by the clock on a CPU.
    double seconds(const std::function<void()>& work) const { return hardware().seconds(work); }

    // Null if the device's memory is host memory.
    std::unique_ptr<UploadRing> upload_ring(std::size_t bytes) const { return hardware().upload_ring(bytes); }

private:
    using Threads = std::shared_ptr<ThreadPool>;
    struct State {
        Backend backend;
        Hardware* hardware;
        Threads threads;
        Execution execution;
    };
    Device(Backend backend, Hardware& hardware, Threads threads, Execution execution);
    std::shared_ptr<const State> state_;
};

// Memory of a device, returned to its pool by the last owner.
class Buffer {
public:
    Buffer(Device device, std::size_t bytes) : device_(std::move(device)), data_(device_.allocate(bytes)), bytes_(bytes) {}
    ~Buffer() { device_.release(data_, bytes_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    const Device& device() const { return device_; }
    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

private:
    Device device_;
    void* data_;
    std::size_t bytes_;
};

// The address of a value in device memory, for kernels alone: what a captured graph computes must not depend on a value that the
// host reads.
template <class T>
class DeviceAddress {
public:
    DeviceAddress(const T* address = nullptr) : address_(address) {}
    const T* for_kernel() const { return address_; }

private:
    const T* address_;
};

// A small struct in device memory that the host sets and kernels read and advance.
template <class T>
class DeviceValue {
public:
    explicit DeviceValue(const Device& device, const T& value = {}) : buffer_(std::make_shared<Buffer>(device, sizeof(T))) {
        set(value);
    }
    void set(const T& value) { buffer_->device().copy_from_host(buffer_->data(), &value, sizeof(T)); }
    T get() const {
        T value;
        buffer_->device().copy_to_host(&value, buffer_->data(), sizeof(T));
        return value;
    }
    T* data() const { return static_cast<T*>(buffer_->data()); }
    DeviceAddress<T> address() const { return data(); }

private:
    std::shared_ptr<Buffer> buffer_;
};

}  // namespace gannet
