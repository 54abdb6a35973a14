// What the files of the runtime share.
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "cuda_runtime_api.h"

namespace simt {

// Every call of the runtime ends with this: cudaGetLastError remembers what is not cudaSuccess.
cudaError_t result(cudaError_t error);

// Does `work` now, or records it if the stream is being captured; work returns what a launch or copy returns.
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<cudaError_t()> work);

bool is_capturing(cudaStream_t stream);
// For calls that a capture forbids (allocating, waiting): an error, and the capture is spoilt, if one is under way.
cudaError_t forbidden_in_capture();
// Relaxed ones too. A GPU's driver allows cudaMalloc there, but recent ones not cudaFree.
cudaError_t forbidden_in_any_capture();
cudaError_t invalidate_capture(cudaError_t error);

// Each call of the runtime that a program can see fail begins with SIMT_CALLED(): it is logged (SIMT_LOG), with the device memory
// in use and `detail`, and may be the one that fails (SIMT_FAIL).
cudaError_t called(const char* name, const std::string& detail = {});
#define SIMT_CALLED(...) \
    if (const cudaError_t failed = simt::called(__func__ __VA_OPT__(, ) __VA_ARGS__)) return simt::result(failed)
std::string take_description();  // of a launch, which describe_launch told (cuda_runtime.h)
bool runs_kernels();             // false with SIMT_RUN=0: they are checked and recorded only
std::size_t device_bytes_in_use();

std::size_t device_memory_bytes();
std::size_t shared_limit();       // that a launch may ask for, of this device
int devices(), current_device();  // how many, by SIMT_DEVICES, and the one of this thread
cudaError_t device_error();       // what every call for the device returns, by SIMT_DRIVER and SIMT_DEVICES
double environment_number(const char* name, double otherwise);

}  // namespace simt
