// Device and pinned memory. Each allocation is a host heap allocation, so AddressSanitizer detects every overrun and every use
// after cudaFree. Copies are checked against the table of allocations in every build.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime.h"

namespace {

class Allocations {
public:
    void add(void* memory, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        sizes_[static_cast<char*>(memory)] = bytes;
        total_ += bytes;
    }

    // The block's size in bytes; -1 if `memory` is not one of these blocks.
    int64_t remove(void* memory) {
        const std::lock_guard lock(mutex_);
        const auto found = sizes_.find(static_cast<char*>(memory));
        if (found == sizes_.end()) return -1;
        const std::size_t bytes = found->second;
        total_ -= bytes;
        sizes_.erase(found);
        return int64_t(bytes);
    }

    // Bytes from `memory` to the end of its allocation, or -1 if it is not in one.
    int64_t room(const void* memory) {
        const std::lock_guard lock(mutex_);
        const char* p = static_cast<const char*>(memory);
        auto after = sizes_.upper_bound(const_cast<char*>(p));
        if (after == sizes_.begin()) return -1;
        --after;
        const int64_t rest = after->first + after->second - p;
        return rest > 0 ? rest : -1;
    }

    std::size_t total() {
        const std::lock_guard lock(mutex_);
        return total_;
    }

private:
    std::mutex mutex_;
    std::map<char*, std::size_t> sizes_;
    std::size_t total_ = 0;
};

// Never destroyed: other statics may free memory at exit.
Allocations& device_memory = *new Allocations;
Allocations& pinned_memory = *new Allocations;

// Whether source or destination of a copy is in the memory that the copy kind requires, and long enough.
bool is_side(const char* what, const void* memory, std::size_t bytes, bool should_be_device) {
    const int64_t room = device_memory.room(memory);
    if ((room >= 0) != should_be_device) {
        std::fprintf(stderr, "simt: %s: %p is %sdevice memory\n", what, memory, should_be_device ? "not " : "");
        return false;
    }
    if (should_be_device && std::size_t(room) < bytes) {
        std::fprintf(stderr, "simt: %s: %zu bytes at %p, but the allocation has only %lld\n", what, bytes, memory,
                     (long long)room);
        return false;
    }
    return true;
}

cudaError_t check_copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return cudaSuccess;
    if (kind == cudaMemcpyDefault) {
        const bool to_device = device_memory.room(to) >= 0, from_device = device_memory.room(from) >= 0;
        kind = cudaMemcpyKind(int(to_device) + 2 * int(from_device));
    }
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    const bool good = is_side("cudaMemcpy to", to, bytes, to_device) && is_side("cudaMemcpy from", from, bytes, from_device);
    return good ? cudaSuccess : cudaErrorInvalidValue;
}

// Unwritten pages take no memory, so models fit at their true sizes if no kernel runs.
void* reserve(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}
void* allocate(std::size_t bytes) {
    void* memory = nullptr;
    if (!simt::runs_kernels()) return reserve(bytes);
    if (posix_memalign(&memory, 256, bytes)) return nullptr;
    return std::memset(memory, 0xFF, bytes);
}

bool is_pageable(const void* memory) { return device_memory.room(memory) < 0 && pinned_memory.room(memory) < 0; }

}  // namespace

using simt::result;

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    *memory = nullptr;
    SIMT_CALLED(std::to_string(bytes));
    if (simt::device_error() != cudaSuccess) return result(simt::device_error());
    if (const cudaError_t error = simt::forbidden_in_any_capture()) return result(error);
    if (bytes == 0) return cudaSuccess;
    if (device_memory.total() + bytes > simt::device_memory_bytes()) return result(cudaErrorMemoryAllocation);
    *memory = allocate(bytes);
    if (!*memory) return result(cudaErrorMemoryAllocation);
    device_memory.add(*memory, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
    SIMT_CALLED();
    if (const cudaError_t error = simt::forbidden_in_any_capture()) return result(error);
    if (!memory) return cudaSuccess;
    const int64_t bytes = device_memory.remove(memory);
    if (bytes < 0) return result(cudaErrorInvalidValue);
    if (simt::runs_kernels()) std::free(memory);
    else munmap(memory, std::size_t(bytes));
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
    *memory = nullptr;
    SIMT_CALLED(std::to_string(bytes));
    if (const cudaError_t error = simt::forbidden_in_capture()) return result(error);
    if (bytes == 0) return cudaSuccess;
    if (posix_memalign(memory, 64, bytes)) return result(cudaErrorMemoryAllocation);
    std::memset(*memory, 0xFF, bytes);
    pinned_memory.add(*memory, bytes);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
    if (const cudaError_t error = simt::forbidden_in_capture()) return result(error);
    if (!memory) return cudaSuccess;
    if (pinned_memory.remove(memory) < 0) return result(cudaErrorInvalidValue);
    std::free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (const cudaError_t error = simt::forbidden_in_capture()) return result(error);
    return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    SIMT_CALLED(std::to_string(bytes) + "\t" + std::to_string(kind));
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return result(error);
    // A recorded copy would access pageable host memory at each replay.
    if (simt::is_capturing(stream) && (is_pageable(to) || is_pageable(from)))
        return result(simt::invalidate_capture(cudaErrorStreamCaptureUnsupported));
    return result(simt::enqueue(stream, cudaGraphNodeTypeMemcpy, [=] {
        if (const cudaError_t error = check_copy(to, from, bytes, kind)) return error;
        if (bytes > 0) std::memcpy(to, from, bytes);
        return cudaSuccess;
    }));
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
    if (const cudaError_t error = simt::forbidden_in_capture()) return result(error);
    return cudaMemsetAsync(memory, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    SIMT_CALLED(std::to_string(bytes));
    if (bytes > 0 && !is_side("cudaMemset", memory, bytes, true)) return result(cudaErrorInvalidValue);
    return result(simt::enqueue(stream, cudaGraphNodeTypeMemset, [=] {
        if (bytes > 0) std::memset(memory, value, bytes);
        return cudaSuccess;
    }));
}

std::size_t simt::device_bytes_in_use() { return device_memory.total(); }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    SIMT_CALLED();
    *total = simt::device_memory_bytes();
    *free = *total - device_memory.total();
    return result(simt::device_error());
}
