// Runs a grid: its blocks in the order of SIMT_ORDER, on SIMT_THREADS OS threads.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "scheduler.h"

namespace simt {
namespace {

thread_local Worker* worker = nullptr;

uint64_t mix(uint64_t x) {  // splitmix64
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

int os_threads() {
    const char* text = std::getenv("SIMT_THREADS");
    return text ? std::max(1, std::atoi(text)) : 1;
}

}  // namespace

Worker& Worker::current() { return *worker; }

Order Order::from_environment() {
    const char* text = std::getenv("SIMT_ORDER");
    if (!text || !std::strcmp(text, "forward")) return {};
    if (!std::strcmp(text, "reverse")) return {reverse, 0};
    char* end = nullptr;
    if (!std::strncmp(text, "shuffle:", 8)) {
        const uint64_t seed = std::strtoull(text + 8, &end, 10);
        if (end != text + 8 && !*end) return {shuffle, seed};
    }
    std::fprintf(stderr, "simt: SIMT_ORDER=%s: use forward, reverse or shuffle:N\n", text);
    std::exit(2);
}

std::vector<uint16_t> Order::threads(int count) const {
    std::vector<uint16_t> order(count);
    std::iota(order.begin(), order.end(), uint16_t(0));
    if (kind == reverse) std::reverse(order.begin(), order.end());
    if (kind == shuffle)
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[mix(seed * 1024 + i) % i]);
    return order;
}

// Shuffles any number of blocks without memory: visits them in steps whose length is coprime to the number of blocks.
int64_t Order::block(int64_t turn, int64_t count) const {
    if (kind == forward) return turn;
    if (kind == reverse) return count - 1 - turn;
    int64_t step = int64_t(mix(seed) % uint64_t(count)) | 1;
    while (std::gcd(step, count) != 1) ++step;
    return int64_t((unsigned __int128)(turn)*uint64_t(step) % uint64_t(count));
}

bool run_grid(const Grid& grid, const Body& body) {
    static std::mutex one_grid_at_a_time;
    static std::vector<std::unique_ptr<Worker>> workers;
    const std::lock_guard lock(one_grid_at_a_time);

    const Order order = Order::from_environment();
    const int64_t blocks = int64_t(grid.blocks.x) * grid.blocks.y * grid.blocks.z;
    const int64_t small = 4096;  // minimum number of kernel threads for each OS thread
    const int64_t work = blocks * grid.threads.x * grid.threads.y * grid.threads.z;
    const auto hands = std::size_t(std::clamp<int64_t>(std::min(blocks, work / small), 1, os_threads()));
    while (workers.size() < hands) workers.push_back(std::make_unique<Worker>());

    std::atomic<int64_t> turn = 0;
    std::atomic<bool> good = true;
    const auto run = [&](Worker& mine) {
        worker = &mine;
        mine.begin_grid(grid, order, body);
        for (int64_t t = turn++; t < blocks && good; t = turn++)
            if (!mine.run_block(order.block(t, blocks))) good = false;
        mine.end_grid();
        worker = nullptr;
    };
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < hands; ++i) others.emplace_back([&, i] { run(*workers[i]); });
    run(*workers[0]);
    for (std::thread& other : others) other.join();
    return good;
}

}  // namespace simt
