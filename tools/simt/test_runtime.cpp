// Tests of the shim's runtime: memory, copies, invalid launches, capture and graphs, matrix products of a warp.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/pack.h"
#include "kernels/cuda/shared.h"
#include "test_simt.h"

using namespace gannet::kernels::cuda;
using namespace simt_test;

namespace {

__global__ void add_kernel(float* y, float value, int n) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) y[i] += value;
}

cudaError_t add(cudaStream_t stream, float* y, float value, int n, dim3 grid, dim3 block, std::size_t shared = 0) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, add_kernel, y, value, n);
}

struct alignas(16) Matrix {
    uint32_t rows[32][4];
};

// A (16, 8) and B (8, 8) of small whole numbers through ldmatrix and mma; C (16, 8).
__global__ void product_kernel(float* c, const float* a, const float* b) {
    Matrix& tile = shared<Matrix>();
    const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
    // Matrices 0 and 1: rows 0 to 7 and 8 to 15 of A's left half; 2 and 3: of its right half.
    for (int i = 0; i < 4; ++i) tile.rows[lane][i] = round_tf32(__float_as_uint(a[lane % 16 * 8 + lane / 16 * 4 + i]));
    __syncwarp();
    uint32_t from_a[4];
    load_matrices(from_a, tile.rows[lane]);
    const uint32_t from_b[2] = {__float_as_uint(b[t * 8 + g]), __float_as_uint(b[(t + 4) * 8 + g])};
    float sums[4] = {1, 1, 1, 1};
    mma_tf32(sums, from_a, from_b);
    // The same in bf16, with K twice as long: the second half is zero.
    const auto pair = [](float first, float second) { return round_bf16(__float_as_uint(first), __float_as_uint(second)); };
    const uint32_t pairs_a[4] = {pair(a[g * 8 + 2 * t], a[g * 8 + 2 * t + 1]),
                                 pair(a[(g + 8) * 8 + 2 * t], a[(g + 8) * 8 + 2 * t + 1]), 0, 0};
    const uint32_t pairs_b[2] = {pair(b[2 * t * 8 + g], b[(2 * t + 1) * 8 + g]), 0};
    mma_bf16(sums, pairs_a, pairs_b);
    for (int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

__global__ void lonely_product_kernel() {
    float sums[4] = {};
    if (threadIdx.x != 3) mma_tf32(sums, {0, 0, 0, 0}, {0, 0});
}

}  // namespace

TEST_CASE("device memory is initialised to NaN, and copies are checked") {
    Device<float> x(4);
    for (const float value : x.get()) CHECK(std::isnan(value));
    float host[8] = {};
    float* pinned = nullptr;
    CHECK(cudaMemcpy(host, x.data, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(x.data, host, 20, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(x.data + 1, host, 16, cudaMemcpyDefault) == cudaErrorInvalidValue);
    CHECK(cudaMemset(x.data, 0, 17) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(x.data, host, 16, cudaMemcpyDefault) == cudaSuccess);
    CHECK(x.get() == std::vector<float>(4, 0.0f));
    CHECK(cudaFree(host) == cudaErrorInvalidValue);
    CHECK(cudaMallocHost(&pinned, 16) == cudaSuccess);
    CHECK(cudaFreeHost(pinned) == cudaSuccess);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaSuccess);
    const Environment memory("SIMT_MEMORY", "1000");
    void* large = nullptr;
    CHECK(cudaMalloc(&large, 2000) == cudaErrorMemoryAllocation);
}

TEST_CASE("a machine without a device, and one with an old device") {
    int count = 7, major = 0;
    {
        const Environment none("SIMT_DEVICES", "0");
        CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
        CHECK(count == 0);
        const Environment old("SIMT_DRIVER", "12040");
        CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
        CHECK(cudaDriverGetVersion(&count) == cudaSuccess);
        CHECK(count == 12040);
    }
    const Environment capability("SIMT_CC", "7.5");
    CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
    CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess);
    CHECK(major == 7);
    CHECK(std::string(cudaGetErrorName(cudaErrorNoDevice)) == "cudaErrorNoDevice");
    cudaGetLastError();
}

TEST_CASE("launches that a driver rejects are rejected") {
    const Device<float> y(1);
    CHECK(add(nullptr, y.data, 1, 1, 1, 1025) == cudaErrorInvalidConfiguration);
    CHECK(add(nullptr, y.data, 1, 1, 1, dim3(32, 33)) == cudaErrorInvalidConfiguration);
    CHECK(add(nullptr, y.data, 1, 1, 0, 32) == cudaErrorInvalidConfiguration);
    CHECK(add(nullptr, y.data, 1, 1, dim3(1, 65536), 32) == cudaErrorInvalidConfiguration);
    CHECK(add(nullptr, y.data, 1, 1, 1, dim3(1, 1, 65)) == cudaErrorInvalidConfiguration);
    CHECK(add(nullptr, y.data, 1, 1, 1, 32, 50000) == cudaErrorInvalidValue);
    CHECK(cudaFuncSetAttribute(add_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 50000) == cudaSuccess);
    CHECK(add(nullptr, y.data, 1, 1, 1, 32, 50000) == cudaSuccess);
    CHECK(cudaFuncSetAttribute(add_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) == cudaErrorInvalidValue);
    cudaGetLastError();
}

TEST_CASE("a captured graph runs when it is launched, and only then") {
    cudaStream_t stream = nullptr;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    Device<float> y(3), z(3);
    y.set({1, 2, 3});
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    CHECK(add(stream, y.data, 1, 3, 1, 32) == cudaSuccess);
    CHECK(cudaMemcpyAsync(z.data, y.data, 12, cudaMemcpyDeviceToDevice, stream) == cudaSuccess);
    CHECK(cudaMemsetAsync(y.data, 0, 4, stream) == cudaSuccess);
    REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    CHECK(y.get() == std::vector<float>{1, 2, 3});
    std::size_t nodes = 0;
    CHECK(cudaGraphGetNodes(graph, nullptr, &nodes) == cudaSuccess);
    CHECK(nodes == 3);
    std::vector<cudaGraphNode_t> all(nodes);
    cudaGraphNodeType type = cudaGraphNodeTypeMemset;
    CHECK(cudaGraphGetNodes(graph, all.data(), &nodes) == cudaSuccess);
    CHECK(cudaGraphNodeGetType(all[0], &type) == cudaSuccess);
    CHECK(type == cudaGraphNodeTypeKernel);
    REQUIRE(cudaGraphInstantiate(&exec, graph) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
    CHECK(cudaGraphLaunch(exec, stream) == cudaSuccess);
    CHECK(cudaGraphLaunch(exec, stream) == cudaSuccess);
    CHECK(y.get() == std::vector<float>{0, 4, 5});
    CHECK(z.get() == std::vector<float>{1, 4, 5});
    CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("calls that are forbidden during capture invalidate it") {
    const Device<float> y(1);
    float pageable = 0;
    float* other = nullptr;
    cudaStream_t stream = nullptr;
    REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
    const auto spoils = [&](auto call, cudaError_t expected, cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
        cudaGraph_t graph = nullptr;
        REQUIRE(cudaStreamBeginCapture(stream, mode) == cudaSuccess);
        CHECK(call() == expected);
        CHECK(add(stream, y.data, 1, 1, 1, 32) == cudaErrorStreamCaptureInvalidated);
        CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
        CHECK(!graph);
    };
    spoils([&] { return cudaStreamSynchronize(stream); }, cudaErrorStreamCaptureUnsupported);
    spoils([&] { return cudaDeviceSynchronize(); }, cudaErrorStreamCaptureUnsupported);
    spoils([&] { return cudaMalloc(&other, 4); }, cudaErrorStreamCaptureUnsupported);
    spoils([&] { return cudaFree(y.data); }, cudaErrorStreamCaptureUnsupported);
    const auto relaxed = cudaStreamCaptureModeRelaxed;
    spoils([&] { return cudaMalloc(&other, 4); }, cudaErrorStreamCaptureUnsupported, relaxed);
    spoils([&] { return cudaFree(y.data); }, cudaErrorStreamCaptureUnsupported, relaxed);
    spoils([&] { return cudaMemcpy(&pageable, y.data, 4, cudaMemcpyDeviceToHost); }, cudaErrorStreamCaptureUnsupported);
    spoils([&] { return cudaMemcpyAsync(&pageable, y.data, 4, cudaMemcpyDeviceToHost, stream); },
           cudaErrorStreamCaptureUnsupported);
    spoils([&] { return add(nullptr, y.data, 1, 1, 1, 32); }, cudaErrorStreamCaptureImplicit);
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureUnmatched);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
    cudaGetLastError();
}

TEST_CASE("matrix products of a warp") {
    std::vector<float> a(128), b(64), expected(128, 1.0f);
    for (int i = 0; i < 128; ++i) a[i] = float(i % 13 - 6);
    for (int i = 0; i < 64; ++i) b[i] = float(i % 7 - 3);
    for (int m = 0; m < 16; ++m)
        for (int n = 0; n < 8; ++n)
            for (int k = 0; k < 8; ++k) expected[m * 8 + n] += 2 * a[m * 8 + k] * b[k * 8 + n];
    const Device<float> c(128);
    const Device<float> da(a), db(b);
    launch("product", product_kernel, {1, 32}, &legacy_stream, c.data, da.data, db.data);
    CHECK(c.get() == expected);
    CHECK(failure([] {
              launch("lonely", lonely_product_kernel, {1, 32}, &legacy_stream);
          }).find("mma_tf32") != std::string::npos);
    // Ties round away from zero in tf32 (10 bits of mantissa), to even in bf16 (7 bits).
    CHECK((round_tf32(__float_as_uint(1 + 0x1p-11f)) & 0xFFFFE000u) == __float_as_uint(1 + 0x1p-10f));
    CHECK((round_tf32(__float_as_uint(-1 + 0x1p-13f)) & 0xFFFFE000u) == __float_as_uint(-1.0f));
    CHECK(round_bf16(__float_as_uint(1 + 0x1p-8f), __float_as_uint(1 + 3 * 0x1p-8f)) == (0x3F82u << 16 | 0x3F80u));
}

TEST_CASE("AddressSanitizer detects the use of freed device memory") {
#ifdef __SANITIZE_ADDRESS__
    CHECK_FALSE(survives([] {
        float* y = nullptr;
        cudaMalloc(&y, 4);
        cudaFree(y);
        add(nullptr, y, 1, 1, 1, 1);
    }));
#else
    MESSAGE("skipped: built without AddressSanitizer");
#endif
}
