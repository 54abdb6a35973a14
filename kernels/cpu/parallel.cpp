// The thread pool. Idle workers spin for a moment before they sleep, so that kernels in a row pay no wake-ups; a worker that
// is late (descheduled, still waking) is never waited for, only tasks already claimed are.
#include "kernels/cpu/parallel.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace gannet::kernels::cpu {
namespace {

using Task = void (*)(void* context, int64_t i);

constexpr auto spin_time = std::chrono::microseconds(80);
constexpr int64_t most_tasks = int64_t(1) << 31;  // of one job: what fits into half of Pool::Share::claims

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

// Spins until `ready` or until the time is up; says whether it got ready.
template <class Ready>
bool spin(Ready&& ready) {
    const auto end = std::chrono::steady_clock::now() + spin_time;
    do {
        for (int i = 0; i < 64; ++i) {
            if (ready()) return true;
            pause();
        }
    } while (std::chrono::steady_clock::now() < end);
    return ready();
}

// As many as can run at the same time, or what GANNET_THREADS says.
int default_threads() {
    const char* wanted = std::getenv("GANNET_THREADS");
    if (!wanted || !*wanted) return usable_threads();
    char* end = nullptr;
    const long count = std::strtol(wanted, &end, 10);
    if (*end || count < 1 || count > 1024)
        throw Error("'" + std::string(wanted) + "' threads", "GANNET_THREADS", "use 1 to 1024, or unset it");
    return int(count);
}

class Pool {
public:
    Pool() { start(default_threads()); }
    ~Pool() { stop(); }

    int threads() const { return int(workers_.size()) + 1; }

    void set_threads(int threads) {
        threads = std::max(threads, 1);
        if (threads == this->threads()) return;
        stop();
        start(threads);
    }

    void run(int64_t tasks, Task task, void* context) {
        // A second caller (or a nested call, though the contract forbids it) runs alone rather than waits.
        if (tasks <= 1 || workers_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
            for (int64_t i = 0; i < tasks; ++i) task(context, i);
            return;
        }
        for (int64_t first = 0; first < tasks; first += most_tasks)
            run_job(first, std::min(tasks - first, most_tasks), task, context);
        const std::exception_ptr failure = std::exchange(failure_, nullptr);
        busy_.store(false, std::memory_order_release);
        if (failure) std::rethrow_exception(failure);
    }

private:
    // Tasks that a thread takes first, in order; then it helps the others with theirs. So the same part of a buffer is with the
    // same core from kernel to kernel, as far as the cuts agree: a line that another core has written is slow to fetch.
    struct alignas(64) Share {
        std::atomic<uint64_t> claims{0};  // the low half counts unclaimed tasks, the high half names the job
        std::atomic<int64_t> end{0};
    };

    void run_job(int64_t first, int64_t tasks, Task task, void* context) {
        // No task of the job before is unclaimed, so nobody acts on these fields until a share's claims name the new job.
        task_.store(task, std::memory_order_release);
        context_.store(context, std::memory_order_release);
        unfinished_.store(tasks, std::memory_order_release);
        const uint64_t job = job_.load(std::memory_order_relaxed) + 1;
        const int64_t count = threads();
        int64_t begin = 0;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t end = ((i + 1) * tasks + count - 1) / count;
            shares_[std::size_t(i)].end.store(first + end, std::memory_order_release);
            shares_[std::size_t(i)].claims.store(job << 32 | uint64_t(end - begin), std::memory_order_release);
            begin = end;
        }
        // Sequentially consistent, as sleepers_ is: either the caller sees a sleeper or the sleeper sees the job.
        job_.store(uint32_t(job));
        if (sleepers_.load() > 0) {
            std::lock_guard lock(mutex_);
            if (tasks > int64_t(workers_.size())) {
                wake_.notify_all();
            } else {
                for (int64_t i = 1; i < tasks; ++i) wake_.notify_one();
            }
        }
        work(0);
        const auto done = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
        while (!spin(done)) std::this_thread::yield();
    }

    // Claims and runs tasks until none is left, beginning with the share of thread number `own`.
    void work(std::size_t own) {
        for (std::size_t i = 0; i < shares_.size(); ++i) work_on(shares_[(own + i) % shares_.size()]);
    }

    // A worker that read the fields of an older or newer job than it claims from fails the exchange.
    void work_on(Share& share) {
        uint64_t seen = share.claims.load(std::memory_order_acquire);
        while (uint32_t(seen) != 0) {
            const int64_t end = share.end.load(std::memory_order_acquire);
            const Task task = task_.load(std::memory_order_acquire);
            void* const context = context_.load(std::memory_order_acquire);
            if (!share.claims.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire))
                continue;
            try {
                task(context, end - int64_t(uint32_t(seen)));
            } catch (...) {  // memory may run out
                const std::lock_guard lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
            }
            unfinished_.fetch_sub(1, std::memory_order_acq_rel);
            seen = share.claims.load(std::memory_order_acquire);
        }
    }

    void worker(std::size_t own) {
        uint32_t seen = 0;
        const auto called = [&] { return job_.load() != seen || stopping_.load(std::memory_order_relaxed); };
        for (;;) {
            if (!spin(called)) {
                std::unique_lock lock(mutex_);
                sleepers_.fetch_add(1);
                wake_.wait(lock, called);
                sleepers_.fetch_sub(1);
            }
            if (stopping_.load(std::memory_order_relaxed)) return;
            seen = job_.load();  // before the work: a job that comes meanwhile is seen after it
            work(own);
        }
    }

    void start(int threads) {
        stopping_.store(false);
        shares_ = std::vector<Share>(std::size_t(threads));
        workers_.reserve(std::size_t(threads));
        job_.store(0);
        std::string why;
        try {
            for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(std::size_t(i)); });
            return;
        } catch (const std::system_error& error) {
            why = error.code().message();
        } catch (const std::bad_alloc&) {
            why = "out of memory";
        }
        const auto started = std::to_string(workers_.size() + 1);
        stop();
        shares_ = std::vector<Share>(1);
        throw Error("the system starts " + started + " of " + std::to_string(threads) + " threads: " + why,
                    "--threads or GANNET_THREADS", "use fewer");
    }

    void stop() {
        {
            std::lock_guard lock(mutex_);
            stopping_.store(true);
        }
        wake_.notify_all();
        for (std::thread& thread : workers_) thread.join();
        workers_.clear();
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<int> sleepers_{0};
    std::atomic<bool> stopping_{false}, busy_{false};
    std::vector<Share> shares_;
    std::exception_ptr failure_;  // the first that a task of this job threw
    alignas(64) std::atomic<uint32_t> job_{0};
    std::atomic<Task> task_{nullptr};
    std::atomic<void*> context_{nullptr};
    alignas(64) std::atomic<int64_t> unfinished_{0};
};

Pool& pool() {
    static Pool the_pool;
    return the_pool;
}

constexpr int64_t large_page = int64_t(1) << 21;

struct Scratch {
    void* data = nullptr;
    int64_t bytes = 0;

    ~Scratch() { std::free(data); }

    void* reserve(int64_t wanted) {
        if (wanted > bytes) {
            std::free(data);
            bytes = 0;
            const int64_t unit = wanted < large_page ? 4096 : large_page;
            const int64_t rounded = (wanted + wanted / 4 + unit - 1) / unit * unit;  // a little more, so that growth is rare
            data = std::aligned_alloc(size_t(unit), size_t(rounded));
            if (!data) throw std::bad_alloc();
            if (unit == large_page) madvise(data, size_t(rounded), MADV_HUGEPAGE);  // fewer TLB misses
            bytes = rounded;
        }
        return data;
    }
};

// A thread_local object with a destructor would be simpler, but the C library aborts where it has no memory to register one.
struct ThreadScratch {
    Scratch slots[4];
};

ThreadScratch& scratch_of_thread() {
    thread_local ThreadScratch* mine = nullptr;
    if (mine) return *mine;
    static const pthread_key_t key = [] {
        pthread_key_t made{};
        if (::pthread_key_create(&made, [](void* scratch) { delete static_cast<ThreadScratch*>(scratch); }) != 0)
            throw std::bad_alloc();
        return made;
    }();
    auto made = std::make_unique<ThreadScratch>();
    if (::pthread_setspecific(key, made.get()) != 0) throw std::bad_alloc();
    mine = made.release();
    return *mine;
}

}  // namespace

void set_threads(int threads) { pool().set_threads(threads); }
int threads() { return pool().threads(); }
void run_tasks(int64_t tasks, void (*task)(void* context, int64_t i), void* context) { pool().run(tasks, task, context); }

void* scratch(int slot, int64_t bytes) { return scratch_of_thread().slots[slot].reserve(bytes); }

}  // namespace gannet::kernels::cpu
