// Threads for what a test does on the host.
#pragma once
#include "engine/tensor/device.h"

inline gannet::ThreadPool& threads() { return gannet::Device::cpu().threads(); }
