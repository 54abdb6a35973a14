// A block's shared memory and pending asynchronous copies.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "scheduler.h"

namespace simt {

void* shared_memory(const void* key, std::size_t bytes, std::size_t alignment, bool dynamic) {
    return Worker::current().shared_memory(key, bytes, alignment, dynamic);
}

bool in_shared_memory(const void* data, std::size_t bytes) { return Worker::current().in_shared_memory(data, bytes); }

// Each type has a separate allocation while the grid runs, so AddressSanitizer reports an overrun as a heap overrun.
void* Worker::shared_memory(const void* key, std::size_t bytes, std::size_t alignment, bool dynamic) {
    SharedBlock* memory = nullptr;
    for (SharedBlock& m : shared_)
        if (m.key == key) memory = &m;
    if (!memory) {
        if (dynamic && bytes > grid_.dynamic_bytes)
            fail("shared memory of %zu bytes in a launch with %zu dynamic bytes", bytes, grid_.dynamic_bytes);
        std::size_t sum = bytes;
        for (const SharedBlock& m : shared_)
            if (m.dynamic == dynamic) sum += m.bytes;
        if (dynamic && sum > bytes) fail("a kernel has one dynamic shared memory, and this is a second type");
        if (!dynamic && sum > 48 * 1024) fail("the kernel's static shared memory is %zu bytes", sum);
        SharedBlock added{key, bytes, nullptr, dynamic, false};
        if (posix_memalign(&added.data, std::max<std::size_t>(alignment, 16), bytes)) std::abort();
        memory = &shared_.emplace_back(added);
    }
    if (!memory->filled) {
        memory->filled = true;
        std::memset(memory->data, 0xFF, bytes);
    }
    return memory->data;
}

bool Worker::in_shared_memory(const void* data, std::size_t bytes) const {
    const char* p = static_cast<const char*>(data);
    for (const SharedBlock& m : shared_) {
        const char* begin = static_cast<const char*>(m.data);
        if (p >= begin && p + bytes <= begin + m.bytes) return true;
    }
    return false;
}

void Worker::end_grid() {
    for (const SharedBlock& memory : shared_) std::free(memory.data);
    shared_.clear();
}

Worker::~Worker() { end_grid(); }

void async_copy(void* to, const void* from, int bytes, bool valid) {
    Worker& worker = Worker::current();
    Thread& thread = worker.running();
    if (reinterpret_cast<std::size_t>(to) % std::size_t(bytes))
        fail("async_copy of %d bytes to %p, which is not aligned to it", bytes, to);
    if (valid && reinterpret_cast<std::size_t>(from) % std::size_t(bytes))
        fail("async_copy of %d bytes from %p, which is not aligned to it", bytes, from);
    if (!worker.in_shared_memory(to, std::size_t(bytes))) fail("async_copy to %p, outside the block's shared memory", to);
    PendingCopy copy = {to, {}, bytes, thread.committed};
    if (valid) {
        if (worker.in_shared_memory(from, 1)) fail("async_copy from %p, which is shared memory", from);
        std::memcpy(copy.data, from, std::size_t(bytes));
    }
    std::memset(to, 0xFF, std::size_t(bytes));
    thread.copies.push_back(copy);
}

void async_copy_commit() { ++Worker::current().running().committed; }

void async_copy_wait(int groups_under_way) {
    Thread& thread = Worker::current().running();
    while (thread.delivered < thread.copies.size()) {
        const PendingCopy& copy = thread.copies[thread.delivered];
        if (copy.group >= thread.committed - groups_under_way) return;
        std::memcpy(copy.to, copy.data, std::size_t(copy.bytes));
        ++thread.delivered;
    }
    thread.copies.clear();
    thread.delivered = 0;
}

}  // namespace simt
