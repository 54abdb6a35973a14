// Tests of the shim: divergent barriers and wrong masks are reported with block and thread.
#include <doctest/doctest.h>

#include "kernels/cuda/block.h"
#include "test_simt.h"

using namespace gannet::kernels::cuda;
using namespace simt_test;

namespace {

__global__ void exit_before_barrier_kernel(int n) {
    if (int(threadIdx.x) >= n) return;
    __syncthreads();
}

__global__ void two_barriers_kernel() {
    if (threadIdx.x == 7) __syncthreads_or(1);
    else __syncthreads();
}

__global__ void barrier_and_shuffle_kernel() {
    if (threadIdx.x < 16) __syncthreads();
    else __shfl_xor_sync(all_lanes, 1, 1);
}

__global__ void mask_without_self_kernel() { __ballot_sync(0x7FFFFFFFu, 1); }

__global__ void missing_lane_kernel() {
    if (threadIdx.x != 9) __syncwarp();
}

__global__ void half_warp_kernel() {
    if (threadIdx.x >= 16 && threadIdx.x != 20) __syncwarp(0xFFFF0000u);
}

__global__ void two_votes_kernel() {
    if (threadIdx.x < 16) __any_sync(all_lanes, 1);
    else __all_sync(all_lanes, 1);
}

__global__ void source_outside_mask_kernel() {
    if (threadIdx.x < 16) __shfl_sync(0x0000FFFFu, 1, 20);
}

__global__ void full_mask_kernel(int* y) { y[threadIdx.x] = __any_sync(all_lanes, 1); }

}  // namespace

TEST_CASE("barriers that only some threads reach are reported") {
    CHECK(failure([] {
              launch("k", exit_before_barrier_kernel, {3, 64}, &legacy_stream, 63);
          }) == "simt: block (0,0,0) thread (0,0,0) waits at __syncthreads, but thread (63,0,0) has exited: divergent barrier\n");
    CHECK(failure([] {
              launch("k", two_barriers_kernel, {1, 64}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (0,0,0) waits at __syncthreads, but thread (7,0,0) waits at __syncthreads_or: divergent "
          "barrier\n");
    CHECK(failure([] {
              launch("k", barrier_and_shuffle_kernel, {1, 32}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (16,0,0) waits at __shfl_xor_sync with mask 0xffffffff, but lane 0 of the mask waits at "
          "__syncthreads\n");
    CHECK(failure([] { launch("k", exit_before_barrier_kernel, {3, 64}, &legacy_stream, 64); }).empty());
}

TEST_CASE("wrong masks are reported") {
    CHECK(failure([] {
              launch("k", mask_without_self_kernel, {1, 32}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (31,0,0): __ballot_sync with mask 0x7fffffff, which does not include its own lane 31\n");
    CHECK(failure([] {
              launch("k", missing_lane_kernel, {1, 64}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (0,0,0) waits at __syncwarp with mask 0xffffffff, but lane 9 of the mask has exited\n");
    CHECK(failure([] {
              launch("k", half_warp_kernel, {1, 32}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (16,0,0) waits at __syncwarp with mask 0xffff0000, but lane 20 of the mask has exited\n");
    CHECK(failure([] {
              launch("k", two_votes_kernel, {1, 32}, &legacy_stream);
          }) ==
          "simt: block (0,0,0) thread (0,0,0) waits at __any_sync with mask 0xffffffff, but lane 16 of the mask waits at "
          "__all_sync "
          "with mask 0xffffffff\n");
    CHECK(failure([] {
              launch("k", source_outside_mask_kernel, {1, 32}, &legacy_stream);
          }) == "simt: block (0,0,0) thread (0,0,0): __shfl_sync reads lane 20, which is not in its mask 0x0000ffff\n");
    const Device<int> y(48);
    CHECK(
        failure([&] {
            launch("k", full_mask_kernel, {1, 48}, &legacy_stream, y.data);
        }) ==
        "simt: block (0,0,0) thread (32,0,0) waits at __any_sync with mask 0xffffffff, but lane 16 of the mask does not exist in "
        "a block of 48 threads\n");
    CHECK(failure([&] { launch("k", full_mask_kernel, {1, 32}, &legacy_stream, y.data); }).empty());
}
