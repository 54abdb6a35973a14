// Idle workers spin for a moment before they sleep, so that consecutive kernels do not wait for a wake-up. A job waits only for
// claimed tasks, not for workers that are descheduled or still waking.
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

namespace gannet {
namespace {

using Task = void (*)(void* context, int64_t i);

constexpr auto spin_time = std::chrono::microseconds(80);
constexpr int64_t most_tasks = int64_t(1) << 31;  // maximum of one job, limited by half of Share::claims

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

// Spins until `ready` or until the time is up; returns whether it is ready.
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

// The number of threads that can run at the same time, or GANNET_THREADS.
int default_threads() {
    const char* wanted = std::getenv("GANNET_THREADS");
    if (!wanted || !*wanted) return usable_threads();
    char* end = nullptr;
    const long count = std::strtol(wanted, &end, 10);
    if (*end || count < 1 || count > 1024)
        throw Error("'" + std::string(wanted) + "' threads", "GANNET_THREADS", "use 1 to 1024, or unset it");
    return int(count);
}

}  // namespace

class ThreadPool::Workers {
public:
    explicit Workers(int threads) : shares_(std::size_t(threads)) {}
    ~Workers() { stop(); }

    void start() {
        const Busy busy(busy_);
        if (busy.mine && threads_.empty() && shares_.size() > 1) start_threads();
    }

    void run(int64_t tasks, Task task, void* context) {
        // A second caller (or a nested call) does not wait: it runs its tasks alone.
        if (tasks > 1 && shares_.size() > 1) {
            const Busy busy(busy_);
            if (busy.mine) {
                if (threads_.empty()) start_threads();
                for (int64_t first = 0; first < tasks; first += most_tasks)
                    run_job(first, std::min(tasks - first, most_tasks), task, context);
                if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
                return;
            }
        }
        for (int64_t i = 0; i < tasks; ++i) task(context, i);
    }

private:
    // Sets the busy flag of the pool, unless another caller has set it.
    struct Busy {
        explicit Busy(std::atomic<bool>& of_pool) : flag(of_pool), mine(!of_pool.exchange(true, std::memory_order_acquire)) {}
        ~Busy() {
            if (mine) flag.store(false, std::memory_order_release);
        }
        Busy(const Busy&) = delete;
        Busy& operator=(const Busy&) = delete;
        std::atomic<bool>& flag;
        const bool mine;
    };

    // The tasks that a thread executes first, in order; then it executes tasks of other shares. So a core uses the same part of a
    // buffer in consecutive kernels if their splits agree. Cache lines written by another core are slow to read.
    struct alignas(64) Share {
        std::atomic<uint64_t> claims{0};  // the low half counts unclaimed tasks, the high half is the number of the job
        std::atomic<int64_t> end{0};
    };

    void run_job(int64_t first, int64_t tasks, Task task, void* context) {
        // All tasks of the previous job are claimed, so no thread uses these fields until a share has the number of this job.
        task_.store(task, std::memory_order_release);
        context_.store(context, std::memory_order_release);
        unfinished_.store(tasks, std::memory_order_release);
        const uint64_t job = job_.load(std::memory_order_relaxed) + 1;
        const int64_t count = int64_t(shares_.size());
        int64_t begin = 0;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t end = ((i + 1) * tasks + count - 1) / count;
            shares_[std::size_t(i)].end.store(first + end, std::memory_order_release);
            shares_[std::size_t(i)].claims.store(job << 32 | uint64_t(end - begin), std::memory_order_release);
            begin = end;
        }
        // Sequentially consistent, like sleepers_: either the caller sees a sleeper or the sleeper sees the job.
        job_.store(uint32_t(job));
        if (sleepers_.load() > 0) {
            std::lock_guard lock(mutex_);
            if (tasks > int64_t(threads_.size())) {
                wake_.notify_all();
            } else {
                for (int64_t i = 1; i < tasks; ++i) wake_.notify_one();
            }
        }
        work(0);
        const auto done = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
        while (!spin(done)) std::this_thread::yield();
    }

    // Claims and runs tasks until none is left, starting with the share of thread number `own`.
    void work(std::size_t own) {
        for (std::size_t i = 0; i < shares_.size(); ++i) work_on(shares_[(own + i) % shares_.size()]);
    }

    // The exchange fails if the worker has read the fields of an older or newer job.
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
            } catch (...) {  // a task may run out of memory
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
            seen = job_.load();  // before the work, so that a job that starts during the work is noticed afterwards
            work(own);
        }
    }

    void start_threads() {
        stopping_.store(false);
        std::string why;
        try {
            threads_.reserve(shares_.size() - 1);
            for (std::size_t i = 1; i < shares_.size(); ++i) threads_.emplace_back([this, i] { worker(i); });
            return;
        } catch (const std::system_error& error) {
            why = error.code().message();
        } catch (const std::bad_alloc&) {
            why = "out of memory";
        }
        const auto started = std::to_string(threads_.size() + 1);
        stop();
        throw Error("the system starts " + started + " of " + std::to_string(shares_.size()) + " threads: " + why,
                    "--threads or GANNET_THREADS", "use fewer");
    }

    void stop() {
        {
            std::lock_guard lock(mutex_);
            stopping_.store(true);
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) thread.join();
        threads_.clear();
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<int> sleepers_{0};
    std::atomic<bool> stopping_{false}, busy_{false};
    std::vector<Share> shares_;   // one per thread, that of the caller first
    std::exception_ptr failure_;  // the first exception of a task of this job
    alignas(64) std::atomic<uint32_t> job_{0};
    std::atomic<Task> task_{nullptr};
    std::atomic<void*> context_{nullptr};
    alignas(64) std::atomic<int64_t> unfinished_{0};
};

namespace {

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
            const int64_t rounded = (wanted + wanted / 4 + unit - 1) / unit * unit;  // slightly more, so that growth is rare
            data = std::aligned_alloc(size_t(unit), size_t(rounded));
            if (!data) throw std::bad_alloc();
            if (unit == large_page) madvise(data, size_t(rounded), MADV_HUGEPAGE);  // fewer TLB misses
            bytes = rounded;
        }
        return data;
    }
};

// A thread_local object with a destructor would be simpler, but the C library aborts if it has no memory to register one.
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

ThreadPool::ThreadPool(int threads)
    : size_(threads > 0 ? threads : default_threads()), workers_(std::make_unique<Workers>(size_)) {}
ThreadPool::~ThreadPool() = default;
void ThreadPool::start() { workers_->start(); }
void ThreadPool::run(int64_t tasks, Task task, void* context) { workers_->run(tasks, task, context); }

void* kernels::cpu::scratch(int slot, int64_t bytes) { return scratch_of_thread().slots[slot].reserve(bytes); }

}  // namespace gannet
