// Declarations shared by the files of the runtime.
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "cuda_runtime_api.h"

namespace simt {

// Every runtime call returns through this. Errors are kept for cudaGetLastError.
cudaError_t result(cudaError_t error);

// Runs `work`, or records it if the stream is being captured. `work` returns the status of the launch or copy.
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<cudaError_t()> work);

bool is_capturing(cudaStream_t stream);
// For calls that are not allowed during a capture (allocating, waiting). Returns an error and invalidates the capture if one is
// active.
cudaError_t forbidden_in_capture();
// The same in relaxed mode, in which drivers allow cudaMalloc, but recent drivers do not allow cudaFree.
cudaError_t forbidden_in_any_capture();
cudaError_t invalidate_capture(cudaError_t error);

// Each runtime call that can fail begins with SIMT_CALLED(). It logs the call (SIMT_LOG) with the device memory in use and
// `detail`, and injects the failure of SIMT_FAIL.
cudaError_t called(const char* name, const std::string& detail = {});
#define SIMT_CALLED(...) \
    if (const cudaError_t failed = simt::called(__func__ __VA_OPT__(, ) __VA_ARGS__)) return simt::result(failed)
std::string take_description();  // of a launch, set by describe_launch (cuda_runtime.h)
bool runs_kernels();             // false with SIMT_RUN=0: kernels are only checked and recorded
std::size_t device_bytes_in_use();

std::size_t device_memory_bytes();
std::size_t shared_limit();       // shared memory that a launch on this device may request
int devices(), current_device();  // the number of devices (SIMT_DEVICES), and this thread's device
cudaError_t device_error();       // the status of every device call, from SIMT_DRIVER and SIMT_DEVICES
double environment_number(const char* name, double otherwise);

}  // namespace simt
