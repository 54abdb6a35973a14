// Kernel launches, with the checks of the driver.
#include <algorithm>
#include <map>
#include <mutex>

#include "cuda_runtime.h"
#include "runtime.h"
#include "scheduler.h"

namespace {

constexpr std::size_t plain_shared_limit = 48 << 10;  // without cudaFuncSetAttribute

std::mutex mutex;
std::map<const void*, std::size_t> dynamic_limits;  // by kernel

std::size_t dynamic_limit(const void* kernel) {
    const std::lock_guard lock(mutex);
    const auto found = dynamic_limits.find(kernel);
    return found == dynamic_limits.end() ? plain_shared_limit : found->second;
}

std::string text(dim3 d) { return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z); }

cudaError_t check(const cudaLaunchConfig_t& config, const void* kernel) {
    const dim3 g = config.gridDim, b = config.blockDim;
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    if (g.x == 0 || g.y == 0 || g.z == 0 || b.x == 0 || b.y == 0 || b.z == 0) return cudaErrorInvalidConfiguration;
    if (g.x > 0x7FFFFFFFu || g.y > 65535 || g.z > 65535) return cudaErrorInvalidConfiguration;
    if (b.x > 1024 || b.y > 1024 || b.z > 64 || b.x * b.y * b.z > 1024) return cudaErrorInvalidConfiguration;
    if (config.dynamicSmemBytes > dynamic_limit(kernel)) return cudaErrorInvalidValue;
    if (config.numAttrs != 0) return cudaErrorNotSupported;
    return cudaSuccess;
}

}  // namespace

using simt::result;

cudaError_t simt::launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
    if (const cudaError_t error = called("launch", text(config.gridDim) + "\t" + text(config.blockDim) + "\t" +
                                                       std::to_string(config.dynamicSmemBytes) + "\t" + take_description()))
        return result(error);
    if (device_error() != cudaSuccess) return result(device_error());
    if (const cudaError_t error = check(config, kernel)) return result(error);
    if (!runs_kernels()) return result(enqueue(config.stream, cudaGraphNodeTypeKernel, [] { return cudaSuccess; }));
    const Grid grid = {config.gridDim, config.blockDim, config.dynamicSmemBytes};
    return result(enqueue(config.stream, cudaGraphNodeTypeKernel, [grid, body = std::move(body)] {
        return run_grid(grid, body) ? cudaSuccess : cudaErrorLaunchFailure;
    }));
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
    if (!kernel) return result(cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return result(cudaErrorInvalidValue);
    if (value < 0 || std::size_t(value) > simt::shared_limit()) return result(cudaErrorInvalidValue);
    const std::lock_guard lock(mutex);
    dynamic_limits[kernel] = std::max(std::size_t(value), plain_shared_limit);
    return cudaSuccess;
}

// The shim does not know registers and local memory.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
    if (!kernel) return result(cudaErrorInvalidDeviceFunction);
    cudaDeviceProp device;
    if (const cudaError_t error = cudaGetDeviceProperties(&device, 0)) return error;
    *attributes = {};
    attributes->maxThreadsPerBlock = device.maxThreadsPerBlock;
    attributes->ptxVersion = attributes->binaryVersion = 10 * device.major + device.minor;
    attributes->maxDynamicSharedSizeBytes = int(dynamic_limit(kernel));
    return cudaSuccess;
}

// Occupancy from threads and dynamic shared memory only.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, std::size_t shared) {
    cudaDeviceProp device;
    if (threads <= 0) return result(cudaErrorInvalidValue);
    if (const cudaError_t error = cudaGetDeviceProperties(&device, 0)) return error;
    *blocks = std::min(16, device.maxThreadsPerMultiProcessor / threads);
    if (shared > 0) *blocks = std::min(*blocks, int(device.sharedMemPerMultiprocessor / (shared + 1024)));
    return cudaSuccess;
}
