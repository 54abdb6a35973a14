// What the files of the runtime share.
#pragma once
#include <functional>

#include "cuda_runtime_api.h"

namespace simt {

// Every call of the runtime ends with this: cudaGetLastError remembers what is not cudaSuccess.
cudaError_t result(cudaError_t error);

// Does `work` now, or records it if the stream is being captured; work returns what a launch or copy returns.
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<cudaError_t()> work);

bool is_capturing(cudaStream_t stream);
// For calls that a capture forbids (allocating, waiting): an error, and the capture is spoilt, if one is under way.
cudaError_t forbidden_in_capture();
cudaError_t invalidate_capture(cudaError_t error);

std::size_t shared_limit();  // that a launch may ask for, of this device
cudaError_t device_error();  // what every call for the device returns, by SIMT_DRIVER and SIMT_DEVICES
double environment_number(const char* name, double otherwise);

}  // namespace simt
