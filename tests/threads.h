// Threads for host code of tests.
#pragma once
#include "engine/tensor/device.h"

inline gannet::ThreadPool& threads() { return gannet::Device::cpu().threads(); }
