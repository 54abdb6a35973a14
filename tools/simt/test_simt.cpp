// Tests of the shim: threads, barriers, warps, shared memory and asynchronous copies, in every order.
#include "test_simt.h"

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/block.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

using namespace gannet::kernels::cuda;
using namespace simt_test;

namespace {

// ---- correct kernels ----------------------------------------------------------------------------------------------------

struct Partial {
    float sums[8];
};

__global__ void __launch_bounds__(256) sum_kernel(float* y, const float* x, int n) {
    Partial& shared_sums = shared<Partial>();
    float sum = 0;
    for (int i = int(blockIdx.x * 256 + threadIdx.x); i < n; i += int(gridDim.x * 256)) sum += x[i];
    sum = warp_sum(sum);
    if (threadIdx.x % warp_size == 0) shared_sums.sums[threadIdx.x / warp_size] = sum;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int w = 1; w < 8; ++w) sum += shared_sums.sums[w];
    y[blockIdx.x] = sum;
}

__global__ void index_kernel(int* y) {
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    y[block * blockDim.x * blockDim.y * blockDim.z + thread] = int(block * 1000 + thread);
}

struct Turned {
    int values[96];
};

__global__ void turn_kernel(int* y, int rounds) {
    Turned& turned = shared<Turned>();
    int mine = int(threadIdx.x);
    for (int r = 0; r < rounds; ++r) {
        turned.values[threadIdx.x] = mine;
        __syncthreads();
        mine = turned.values[(threadIdx.x + 1) % 96];
        __syncthreads();
    }
    y[threadIdx.x] = mine;
}

__global__ void vote_kernel(int* y) {
    const int t = int(threadIdx.x), base = t * 12;
    y[base] = __syncthreads_count(t % 3 == 0);
    y[base + 1] = __syncthreads_or(t == 5);
    y[base + 2] = __syncthreads_and(t != 5);
    y[base + 3] = int(__ballot_sync(all_lanes, t % 2));
    y[base + 4] = __any_sync(all_lanes, t == 40);
    y[base + 5] = __all_sync(all_lanes, t < 32);
    y[base + 6] = __shfl_sync(all_lanes, t, 3);
    y[base + 7] = __shfl_up_sync(all_lanes, t, 1);
    y[base + 8] = __shfl_down_sync(all_lanes, t, 1, 8);
    y[base + 9] = int(__shfl_xor_sync(all_lanes, double(t), 16));
    // The two halves of a warp separately.
    const unsigned half = t % 32 < 16 ? 0x0000FFFFu : 0xFFFF0000u;
    y[base + 10] = __popc(__ballot_sync(half, t % 32 < 20));
    __syncwarp(half);
    y[base + 11] = int(__shfl_xor_sync(half, int64_t(t), 1));
}

__global__ void order_kernel(int* y, int* next) {
    y[(*next)++] = int(blockIdx.x * blockDim.x + threadIdx.x);
    __syncthreads();
    y[(*next)++] = int(blockIdx.x * blockDim.x + threadIdx.x);
}

// Lacks the barrier between writing and reading.
__global__ void racing_kernel(int* y) {
    Turned& turned = shared<Turned>();
    turned.values[threadIdx.x] = 1;
    y[threadIdx.x] = turned.values[95 - threadIdx.x];
}

// ---- shared memory and copies -------------------------------------------------------------------------------------------

struct Large {
    float values[20000];
};

__global__ void large_kernel(float* y) {
    Large& large = shared<Large>();
    y[blockIdx.x] = large.values[19999];
    large.values[19999] = 1;
}

struct alignas(16) Staged {
    float values[2][64];
};

template <bool wait>
__global__ void copy_kernel(float* y, const float* x) {
    Staged& staged = shared<Staged>();
    const int at = int(threadIdx.x) * 4;
    async_copy<16>(&staged.values[0][at], x + at);
    async_copy_commit();
    async_copy<16>(&staged.values[1][at], x + at, false);
    async_copy_commit();
    async_copy_wait<wait ? 1 : 2>();
    y[at] = staged.values[0][at + 1];
    y[at + 1] = staged.values[1][at];
    async_copy_wait<0>();
    y[at + 2] = staged.values[0][at + 2];
    y[at + 3] = staged.values[1][at + 3];
}

__global__ void misaligned_copy_kernel(const float* x) { async_copy<16>(shared<Staged>().values[0], x + 1); }

[[maybe_unused]] __global__ void overrun_kernel(float* y, int n) { y[0] = shared<Partial>().sums[n]; }

std::vector<int> order_of(const char* order) {
    const Environment environment("SIMT_ORDER", order);
    Device<int> y(12), next(1);
    next.set({0});
    launch("order", order_kernel, {2, 3}, &legacy_stream, y.data, next.data);
    return y.get();
}

}  // namespace

TEST_CASE("sums over blocks are correct in every order and on several OS threads") {
    std::vector<float> values(10000);
    std::iota(values.begin(), values.end(), 0.0f);
    const Device<float> x(values);
    std::vector<float> first;
    for (const char* order : {"forward", "reverse", "shuffle:1", "shuffle:2"})
        for (const char* threads : {"1", "3"}) {
            const Environment environment("SIMT_ORDER", order), hands("SIMT_THREADS", threads);
            const Device<float> y(20);
            launch("sum", sum_kernel, {20, 256}, &legacy_stream, y.data, x.data, 10000);
            const std::vector<float> sums = y.get();
            CHECK(std::accumulate(sums.begin(), sums.end(), 0.0) == 49995000.0);
            if (first.empty()) first = sums;
            CHECK(sums == first);
        }
}

TEST_CASE("indices of grids and blocks of three dimensions") {
    const Device<int> y(2 * 3 * 4 * 60);
    launch("index", index_kernel, {dim3(2, 3, 4), dim3(5, 3, 4)}, &legacy_stream, y.data);
    const std::vector<int> values = y.get();
    for (int i = 0; i < int(values.size()); ++i) CHECK(values[i] == i / 60 * 1000 + i % 60);
}

TEST_CASE("a barrier in a loop") {
    const Device<int> y(96);
    launch("turn", turn_kernel, {1, 96}, &legacy_stream, y.data, 100);
    for (int t = 0; t < 96; ++t) CHECK(y.get()[t] == (t + 100) % 96);
}

TEST_CASE("votes and shuffles") {
    const char* orders[] = {"forward", "reverse", "shuffle:1"};
    std::vector<int> all;
    for (const char* order : orders) {
        const Environment environment("SIMT_ORDER", order);
        const Device<int> y(64 * 12);
        launch("vote", vote_kernel, {1, 64}, &legacy_stream, y.data);
        const std::vector<int> one = y.get();
        all.insert(all.end(), one.begin(), one.end());
    }
    for (int i = 0; i < 3 * 64; ++i) {
        const int* v = &all[i * 12];
        const int t = i % 64;
        const int lane = t % 32, warp = t - lane;
        CHECK(v[0] == 22);
        CHECK(v[1] == 1);
        CHECK(v[2] == 0);
        CHECK(unsigned(v[3]) == 0xAAAAAAAAu);
        CHECK(v[4] == (t >= 32));
        CHECK(v[5] == (t < 32));
        CHECK(v[6] == warp + 3);
        CHECK(v[7] == (lane == 0 ? t : t - 1));
        CHECK(v[8] == (lane % 8 == 7 ? t : t + 1));
        CHECK(v[9] == (t ^ 16));
        CHECK(v[10] == (lane < 16 ? 16 : 4));
        CHECK(v[11] == (t ^ 1));
    }
}

TEST_CASE("SIMT_ORDER orders threads between barriers, and blocks") {
    CHECK(order_of("forward") == std::vector<int>{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
    CHECK(order_of("reverse") == std::vector<int>{5, 4, 3, 5, 4, 3, 2, 1, 0, 2, 1, 0});
    bool differs = false;
    for (const char* order : {"shuffle:1", "shuffle:2", "shuffle:3"}) {
        const std::vector<int> y = order_of(order);
        CHECK(std::vector<int>(y.begin(), y.begin() + 3) == std::vector<int>(y.begin() + 3, y.begin() + 6));
        CHECK(std::accumulate(y.begin(), y.end(), 0) == 30);
        CHECK(y == order_of(order));
        differs |= y != order_of("forward") && y != order_of("reverse");
    }
    CHECK(differs);
}

TEST_CASE("a missing barrier changes the result in every order") {
    for (const char* order : {"forward", "reverse", "shuffle:1"}) {
        const Environment environment("SIMT_ORDER", order);
        const Device<int> y(96);
        launch("racing", racing_kernel, {1, 96}, &legacy_stream, y.data);
        CHECK(y.get() != std::vector<int>(96, 1));
    }
}

TEST_CASE("shared memory is NaN at the start of each block") {
    const Device<float> y(3);
    launch("large", large_kernel, {3, 1, dynamic_bytes<Large>()}, &legacy_stream, y.data);
    for (const float value : y.get()) CHECK(std::isnan(value));
}

TEST_CASE("large shared memory must be requested") {
    const Device<float> y(3);
    const std::string text = failure([&] { launch("large", large_kernel, {3, 1, 1000}, &legacy_stream, y.data); });
    CHECK(text == "simt: block (0,0,0) thread (0,0,0): shared memory of 80000 bytes in a launch with 1000 dynamic bytes\n");
    const Environment capability("SIMT_CC", "7.5");
    CHECK_THROWS(launch("large", large_kernel, {3, 1, dynamic_bytes<Large>()}, &legacy_stream, y.data));
}

TEST_CASE("asynchronous copies are complete after the wait that covers them") {
    std::vector<float> values(64);
    std::iota(values.begin(), values.end(), 0.0f);
    const Device<float> x(values), y(64), early(64);
    launch("copy", copy_kernel<true>, {1, 16}, &legacy_stream, y.data, x.data);
    launch("copy", copy_kernel<false>, {1, 16}, &legacy_stream, early.data, x.data);
    for (int t = 0; t < 16; ++t) {
        CHECK(y.get()[t * 4] == float(t * 4 + 1));
        CHECK(std::isnan(y.get()[t * 4 + 1]));
        CHECK(y.get()[t * 4 + 2] == float(t * 4 + 2));
        CHECK(y.get()[t * 4 + 3] == 0);
        CHECK(std::isnan(early.get()[t * 4]));
    }
    CHECK(failure([&] {
              launch("k", misaligned_copy_kernel, {1, 1}, &legacy_stream, x.data);
          }).find("not aligned") != std::string::npos);
}

TEST_CASE("AddressSanitizer detects an overrun of shared memory") {
#ifdef __SANITIZE_ADDRESS__
    const Device<float> y(1);
    CHECK(survives([&] { launch("overrun", overrun_kernel, {1, 1}, &legacy_stream, y.data, 7); }));
    CHECK_FALSE(survives([&] { launch("overrun", overrun_kernel, {1, 1}, &legacy_stream, y.data, 8); }));
    CHECK_FALSE(survives([&] { launch("overrun", overrun_kernel, {1, 1}, &legacy_stream, y.data + 1, 7); }));
#else
    MESSAGE("skipped: built without AddressSanitizer");
#endif
}
