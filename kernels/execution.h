// The execution context of a kernel. Every device (engine/tensor/device.h) owns an Execution and passes it to each kernel as the
// last argument.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/precision.h"
#include "kernels/shapes.h"

namespace gannet {

// A matrix product, and its implementation. `plain`: without bias, activation and moments.
struct TunedProduct {
    MatmulShape shape;
    bool plain = true;
    MatmulChoice choice = MatmulChoice::automatic;
    bool same_product(const TunedProduct& other) const {
        const MatmulShape &a = shape, &b = other.shape;
        return a.M == b.M && a.N == b.N && a.K == b.K && a.transpose_a == b.transpose_a && a.transpose_b == b.transpose_b &&
               plain == other.plain;
    }
};

// The numeric settings of a device: the keys compute.precision, cuda.matmul, cuda.tune and cpu.exact of a model file. Constant.
struct Numerics {
    Precision precision = Precision::fp32;
    MatmulChoice matmul = MatmulChoice::automatic;
    std::vector<TunedProduct> tuned;  // measured by `apps/bench MODEL --tune FILE`; used before the rule of cuda/matmul_cublas.h
    bool exact_convolutions = false;  // on a CPU: no Winograd, whose errors are two to four bits larger (winograd.h)
};

// Memory of a GPU for the partial results of one kernel call.
class ScratchMemory {
public:
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void release(void* data, std::size_t bytes) = 0;

protected:
    ~ScratchMemory() = default;
};

class ThreadPool;  // kernels/cpu/parallel.h

struct Execution {
    Numerics numerics;
    ThreadPool* threads = nullptr;  // the threads that compute the kernels of a CPU, or the host's work for a GPU
    // Only for a GPU:
    std::vector<TunedProduct>* noted = nullptr;  // receives each distinct matrix product
    void* stream = nullptr;                      // a cudaStream_t, for all work of the GPU
    int gpu = 0;                                 // the index of the GPU
    int capability = 0;                          // 90 for sm_90
    ScratchMemory* scratch = nullptr;
    std::shared_ptr<void>* cublas = nullptr;  // state of matmul_cublas.cu for the GPU

    // The implementation of a matrix product on a GPU, by `matmul` or the table.
    MatmulChoice choice_for(const MatmulShape& shape, bool plain) const {
        const TunedProduct asked{shape, plain, numerics.matmul};
        if (noted) {
            bool known = false;
            for (const TunedProduct& p : *noted) known = known || p.same_product(asked);
            if (!known) noted->push_back(asked);
        }
        if (numerics.matmul == MatmulChoice::automatic)
            for (const TunedProduct& p : numerics.tuned)
                if (p.same_product(asked)) return p.choice;
        return numerics.matmul;
    }
};

}  // namespace gannet
