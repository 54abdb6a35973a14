// Errors, the device and its properties.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime.h"

namespace simt {
namespace {

thread_local cudaError_t last_error = cudaSuccess;
constexpr int runtime_version = 13000;

struct Capability {
    int number;                                             // 10 x major + minor
    std::size_t shared_of_block, shared_of_multiprocessor;  // bytes
    int threads_of_multiprocessor;
};
constexpr Capability capabilities[] = {
    {70, 96 << 10, 96 << 10, 2048},    {75, 64 << 10, 64 << 10, 1024},   {80, 163 << 10, 164 << 10, 2048},
    {86, 99 << 10, 100 << 10, 1536},   {89, 99 << 10, 100 << 10, 1536},  {90, 227 << 10, 228 << 10, 2048},
    {100, 227 << 10, 228 << 10, 2048}, {120, 99 << 10, 100 << 10, 1536},
};

const Capability& capability() {
    const int number = int(std::lround(environment_number("SIMT_CC", 8.0) * 10));
    for (const Capability& c : capabilities)
        if (c.number == number) return c;
    std::fprintf(stderr, "simt: SIMT_CC: use 7.0, 7.5, 8.0, 8.6, 8.9, 9.0, 10.0 or 12.0\n");
    std::exit(2);
}

}  // namespace

double environment_number(const char* name, double otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atof(text) : otherwise;
}

cudaError_t result(cudaError_t error) {
    if (error != cudaSuccess) last_error = error;
    return error;
}

std::size_t device_memory_bytes() { return std::size_t(environment_number("SIMT_MEMORY", double(16ull << 30))); }
std::size_t shared_limit() { return capability().shared_of_block; }
int driver_version() { return int(environment_number("SIMT_DRIVER", runtime_version)); }
int devices() { return int(environment_number("SIMT_DEVICES", 1)); }
namespace {
thread_local int current = 0;
}
int current_device() { return current; }

cudaError_t device_error() {
    if (driver_version() < runtime_version) return cudaErrorInsufficientDriver;
    return devices() < 1 ? cudaErrorNoDevice : cudaSuccess;
}

}  // namespace simt

using simt::result;

cudaError_t cudaPeekAtLastError() { return simt::last_error; }
cudaError_t cudaGetLastError() {
    const cudaError_t error = simt::last_error;
    simt::last_error = cudaSuccess;
    return error;
}

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define SIMT_ERROR(name, number, text) \
    case name: return #name;
        SIMT_ERRORS(SIMT_ERROR)
#undef SIMT_ERROR
    }
    return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define SIMT_ERROR(name, number, text) \
    case name: return text;
        SIMT_ERRORS(SIMT_ERROR)
#undef SIMT_ERROR
    }
    return "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int* count) {
    SIMT_CALLED();
    *count = simt::device_error() == cudaSuccess ? simt::devices() : 0;
    return result(simt::device_error());
}

cudaError_t cudaGetDevice(int* device) {
    *device = simt::current_device();
    return result(simt::device_error());
}

cudaError_t cudaSetDevice(int device) {
    SIMT_CALLED();
    if (simt::device_error() != cudaSuccess) return result(simt::device_error());
    if (device < 0 || device >= simt::devices()) return result(cudaErrorInvalidDevice);
    simt::current = device;
    return result(cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    SIMT_CALLED();
    if (simt::device_error() != cudaSuccess) return result(simt::device_error());
    if (device < 0 || device >= simt::devices()) return result(cudaErrorInvalidDevice);
    const simt::Capability& c = simt::capability();
    cudaDeviceProp p = {};
    std::snprintf(p.name, sizeof p.name, "CPU test shim");
    p.totalGlobalMem = simt::device_memory_bytes();
    p.major = c.number / 10;
    p.minor = c.number % 10;
    p.sharedMemPerBlock = 48 << 10;
    p.sharedMemPerBlockOptin = c.shared_of_block;
    p.sharedMemPerMultiprocessor = c.shared_of_multiprocessor;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsPerMultiProcessor = c.threads_of_multiprocessor;
    p.multiProcessorCount = 4;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 0x7FFFFFFF;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.l2CacheSize = 4 << 20;
    p.memoryBusWidth = 256;
    *properties = p;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp p;
    if (const cudaError_t error = cudaGetDeviceProperties(&p, device)) return error;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = int(p.sharedMemPerBlock); break;
        case cudaDevAttrWarpSize: *value = p.warpSize; break;
        case cudaDevAttrClockRate: *value = 1000000; break;
        case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
        case cudaDevAttrMemoryClockRate: *value = 1000000; break;
        case cudaDevAttrGlobalMemoryBusWidth: *value = p.memoryBusWidth; break;
        case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
        case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = int(p.sharedMemPerMultiprocessor); break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = int(p.sharedMemPerBlockOptin); break;
        default: return result(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = simt::driver_version();
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = simt::runtime_version;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() { return result(simt::forbidden_in_capture()); }
cudaError_t cudaDeviceReset() { return result(simt::forbidden_in_capture()); }
