// Compares the words of the project's Philox (kernels/philox.h) with those of cuRAND's device interface, bit for bit.
//
// cuRAND has the same 128-bit counter and 64-bit key, set by two calls:
//   key          = seed
//   counter 0, 1 = offset / 4, low and high word       here: element / 4, sample
//   counter 2, 3 = subsequence, low and high word      here: step, stream * 4096 + update
// so draw(key, step, sample, block) is curand4 after
//   curand_init(seed, subsequence = (stream << 12 | update) << 32 | step, offset = 4 * (sample << 32 | block)).
// The 64-bit offset counts words, so counters of 2^62 blocks or more need several skipaheads.
#include <cuda_runtime.h>
#include <curand_kernel.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/philox.h"

namespace {

using namespace gannet;

struct Case {
    uint32_t counter[4];
    uint64_t seed;
};
struct Difference {
    int raw, drawn;  // differing words of philox() and of draw()
};

__device__ uint4 curand_words(const Case& c) {
    constexpr uint64_t most = (uint64_t(1) << 62) - 1;  // most blocks of one skipahead
    curandStatePhilox4_32_10_t state;
    curand_init(c.seed, uint64_t(c.counter[3]) << 32 | c.counter[2], 0, &state);
    for (uint64_t blocks = uint64_t(c.counter[1]) << 32 | c.counter[0], skip; blocks > 0; blocks -= skip) {
        skip = blocks < most ? blocks : most;
        skipahead(4 * skip, &state);
    }
    return curand4(&state);
}

__global__ void __launch_bounds__(128) compare_kernel(Difference* differences, const Case* cases, int n) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) return;
    const Case c = cases[i];
    const uint4 theirs = curand_words(c);
    const PhiloxWords raw = philox(c.counter[0], c.counter[1], c.counter[2], c.counter[3], c.seed);
    const PhiloxWords drawn = draw({c.seed, c.counter[3] >> 12, c.counter[3] & 0xFFF}, c.counter[2], c.counter[1], c.counter[0]);
    const uint32_t words[4] = {theirs.x, theirs.y, theirs.z, theirs.w};
    Difference d = {0, 0};
    for (int k = 0; k < 4; ++k) d.raw += words[k] != raw.w[k], d.drawn += words[k] != drawn.w[k];
    differences[i] = d;
}

// Extreme values of every word of the counter and of the key.
std::vector<Case> corners() {
    const uint32_t words[] = {0, 1, 0x3FFFFFFF, 0x40000000, 0xFFFFFFFF};
    std::vector<Case> all;
    for (const uint32_t a : words)
        for (const uint32_t b : words)
            for (const uint32_t c : words)
                for (const uint32_t d : words)
                    for (const uint64_t seed : {uint64_t(0), uint64_t(42), uint64_t(1) << 32, ~uint64_t(0)})
                        all.push_back({{a, b, c, d}, seed});
    return all;
}

// Ordinary values, from a linear congruential generator.
std::vector<Case> walk() {
    uint64_t x = 0x9E3779B97F4A7C15;
    const auto next = [&] { return x = x * 6364136223846793005u + 1442695040888963407u, uint32_t(x >> 32); };
    std::vector<Case> all(5000);
    for (Case& c : all) {
        for (uint32_t& word : c.counter) word = next();
        c.seed = uint64_t(next()) << 32 | next();
    }
    return all;
}

void check(cudaError_t error) {
    if (error != cudaSuccess) throw Error(std::string("CUDA: ") + cudaGetErrorString(error), "test_curand", "");
}

// Adds one result for philox() and one for draw() to `passed` or `failed`.
void compare(const char* what, const std::vector<Case>& cases, int& passed, int& failed) {
    Case* input = nullptr;
    Difference* output = nullptr;
    const std::size_t n = cases.size();
    std::vector<Difference> differences(n, {-1, -1});
    check(cudaMalloc(&input, n * sizeof(Case)));
    check(cudaMalloc(&output, n * sizeof(Difference)));
    check(cudaMemcpy(input, cases.data(), n * sizeof(Case), cudaMemcpyHostToDevice));
    const kernels::cuda::Grid grid{dim3(unsigned(kernels::cuda::divide_up(int64_t(n), 128))), dim3(128)};
    const Execution default_stream;
    kernels::cuda::launch("compare", compare_kernel, grid, &default_stream, output, input, int(n));
    check(cudaMemcpy(differences.data(), output, n * sizeof(Difference), cudaMemcpyDeviceToHost));
    check(cudaFree(input));
    check(cudaFree(output));
    int raw = 0, drawn = 0;
    for (const Difference& d : differences) raw += d.raw != 0, drawn += d.drawn != 0;
    std::printf("%zu %s: %d differ from cuRAND's as philox() has them, %d as draw() has them\n", n, what, raw, drawn);
    for (const int wrong : {raw, drawn}) (wrong > 0 ? failed : passed) += 1;
}

}  // namespace

int main() {
    int devices = 0, passed = 0, failed = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        std::printf("skipped: no GPU\n0 passed, 0 failed, 4 skipped\n");
        return 0;
    }
    try {
        compare("corners", corners(), passed, failed);
        compare("ordinary counters", walk(), passed, failed);
    } catch (const std::exception& e) {
        std::printf("%s\n", e.what());
        failed += 1;
    }
    std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed > 0;
}
