// The GPU: the one file of the engine that knows the CUDA runtime is cuda.cpp; it is built only where there is a CUDA backend.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "engine/tensor/device.h"

namespace gannet::cuda {

// Why no GPU can be used, in one line ("no NVIDIA driver is installed"), "" if one can.
std::string unusable();
std::string name();  // "cuda (NVIDIA H100 80GB HBM3, sm_90)"
int capability();    // 90 for sm_90, of the device in use
Stream stream();     // all work of the process goes to this one stream

Pool& pool();
void copy_from_host(void* to, const void* from, std::size_t bytes);
void copy_to_host(void* to, const void* from, std::size_t bytes);  // waits
void synchronize();
int64_t available_memory();
DevicePeaks peaks();
double seconds(const std::function<void()>& work);

std::unique_ptr<RecordedWork> record_work(const std::function<void()>& work);
std::unique_ptr<UploadRing> upload_ring(std::size_t bytes);

}  // namespace gannet::cuda
