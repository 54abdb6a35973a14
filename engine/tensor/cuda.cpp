#include "engine/tensor/cuda.h"

#include <cuda_runtime.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define GANNET_NVTX 1
#endif

#include "base/error.h"
#include "kernels/cuda/probe.h"
#include "kernels/cuda/scratch.h"
#include "kernels/place.h"

namespace gannet::cuda {
namespace {

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();
    throw Error(std::string("CUDA: ") + cudaGetErrorString(error), what,
                "an earlier kernel may be the cause: run again with CUDA_LAUNCH_BLOCKING=1 and --set cuda.graph=false");
}

struct State {
    std::string unusable, name;
    int capability = 0;
    std::size_t memory = 0;  // bytes
    cudaStream_t stream = nullptr;
};

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

// Why there is no GPU to start on, "" if there is one.
std::string missing() {
    int devices = 0, driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const cudaError_t error = cudaGetDeviceCount(&devices);
    if (driver == 0 && error != cudaSuccess) return "no NVIDIA driver is installed";
    if (error == cudaErrorInsufficientDriver)
        return "the NVIDIA driver serves CUDA " + version_text(driver) + ", this program needs " + version_text(runtime) +
               ": update the driver";
    if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0)) return "no NVIDIA GPU is visible";
    return error == cudaSuccess ? "" : cudaGetErrorString(error);
}

// What users can do about the errors of a start.
std::string advice(cudaError_t error) {
    switch (error) {
        case cudaErrorMemoryAllocation: return "; its memory is full, nvidia-smi shows by whom";
        case cudaErrorDevicesUnavailable: return "; another process has it in exclusive mode, or nvidia-smi shows another cause";
        case cudaErrorECCUncorrectable: return "; the GPU has to be reset, nvidia-smi -q shows its ECC errors";
        case cudaErrorUnsupportedPtxVersion:
        case cudaErrorNoKernelImageForDevice: return "; update the driver, or build with make ARCHS=all";
        default: return "";
    }
}

// The context is made, the program's code is loaded, a first kernel runs and memory is allocated: whatever keeps this GPU from
// being used shows here.
std::string start(State& s) {
    const char* doing = "reading its properties";
    const auto begin = [&]() -> cudaError_t {
        cudaDeviceProp properties = {};
        if (const cudaError_t error = cudaGetDeviceProperties(&properties, 0)) return error;
        s.capability = properties.major * 10 + properties.minor;
        s.name = std::string(properties.name) + ", sm_" + std::to_string(s.capability);
        if (s.capability < 75) return cudaSuccess;
        doing = "creating a context";
        if (const cudaError_t error = cudaSetDevice(0)) return error;
        std::size_t free = 0;
        if (const cudaError_t error = cudaMemGetInfo(&free, &s.memory)) return error;
        if (const cudaError_t error = cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking)) return error;
        doing = "running a first kernel";
        if (const cudaError_t error = kernels::cuda::launch_nothing({s.stream})) return error;
        if (const cudaError_t error = cudaStreamSynchronize(s.stream)) return error;
        doing = "allocating 16 MiB";  // a context fits on a GPU that is otherwise full
        void* memory = nullptr;
        if (const cudaError_t error = cudaMalloc(&memory, 16 << 20)) return error;
        return cudaFree(memory);
    };
    if (const cudaError_t error = begin())
        return (s.name.empty() ? "GPU 0" : s.name) + ": " + cudaGetErrorString(error) + ", while " + doing + advice(error);
    return s.capability < 75 ? s.name + ": sm_75 is the oldest supported" : "";
}

State open() {
    State s;
    s.unusable = missing();
    if (s.unusable.empty()) {
        s.unusable = start(s);
        if (!s.unusable.empty()) cudaDeviceReset();  // the process lives on without a context
    }
    cudaGetLastError();
    if (!s.unusable.empty()) return s;
    s.name = "cuda (" + s.name + ")";
    kernels::cuda::scratch_pool = {[](std::size_t bytes) { return pool().allocate(bytes, cuda::name()); },
                                   [](void* data, std::size_t bytes) { pool().release(data, bytes); }};
#ifdef GANNET_NVTX
    profiler_ranges = {[](const char* range) { nvtxRangePushA(range); }, [] { nvtxRangePop(); }};
#endif
    return s;
}

const State& state() {
    static const State instance = open();
    return instance;
}

}  // namespace

std::string unusable() { return state().unusable; }
std::string name() { return state().name; }
int capability() { return state().capability; }
Stream stream() { return {state().stream}; }

// tools/simt's device memory is the host's.
#ifdef GANNET_SIMT
constexpr bool on_host = true;
#else
constexpr bool on_host = false;
#endif

Pool& pool() {
    // Never destroyed: at exit the runtime may be gone before it.
    static Pool& instance = *new Pool({[](std::size_t bytes) -> void* {
                                           void* data = nullptr;
                                           if (cudaMalloc(&data, bytes) == cudaSuccess) return data;
                                           cudaGetLastError();
                                           return nullptr;
                                       },
                                       [](void* data) { cudaFree(data); }, [] { return state().memory; },
                                       [] {
                                           std::size_t free = 0, total = 0;
                                           check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
                                           return "the GPU has " + std::to_string(free >> 20) + " MiB free of " +
                                                  std::to_string(total >> 20) + " MiB";
                                       },
                                       "out of device memory", on_host});
    return instance;
}

// The host's memory is pageable: the call returns when it may be reused.
void copy_from_host(void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    const cudaStream_t s = state().stream;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, s), "copying to the device");
    check(cudaStreamSynchronize(s), "copying to the device");
}
void copy_to_host(void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    const cudaStream_t s = state().stream;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, s), "copying from the device");
    check(cudaStreamSynchronize(s), "copying from the device");
}

void synchronize() { check(cudaStreamSynchronize(state().stream), "waiting for the device"); }

int64_t available_memory() {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    const MemoryStats held = pool().stats();
    return int64_t(free) + held.held_bytes - held.live_bytes;
}

// fp32 multiply-adds that a multiprocessor begins in a cycle: CUDA's programming guide, "Arithmetic Instructions".
DevicePeaks peaks() {
    const auto attribute = [](cudaDeviceAttr which) {
        int value = 0;
        if (cudaDeviceGetAttribute(&value, which, 0) != cudaSuccess) cudaGetLastError();
        return double(value);
    };
    const double per_cycle = capability() <= 80 || capability() == 87 ? 64 : 128;
    // Clocks are in kHz; memory moves data on both edges.
    return {2 * per_cycle * attribute(cudaDevAttrMultiProcessorCount) * attribute(cudaDevAttrClockRate) * 1e3,
            2 * attribute(cudaDevAttrMemoryClockRate) * 1e3 * attribute(cudaDevAttrGlobalMemoryBusWidth) / 8};
}

double seconds(const std::function<void()>& work) {
    struct Event {
        cudaEvent_t event = nullptr;
        Event() { check(cudaEventCreate(&event), "creating an event"); }
        ~Event() { cudaEventDestroy(event); }
    } begin, end;
    check(cudaEventRecord(begin.event, state().stream), "timing");
    work();
    check(cudaEventRecord(end.event, state().stream), "timing");
    check(cudaEventSynchronize(end.event), "timing");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.event, end.event), "timing");
    return double(milliseconds) * 1e-3;
}

namespace {

class Graph : public RecordedWork {
public:
    explicit Graph(const std::function<void()>& work) {
        const cudaStream_t s = state().stream;
        cudaGraph_t graph = nullptr;
        try {
            check(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed), "capturing a step");
            work();
            check(cudaStreamEndCapture(s, &graph), "capturing a step");
            std::size_t nodes = 0;
            check(cudaGraphGetNodes(graph, nullptr, &nodes), "counting a graph's nodes");
            kernels_ = int(nodes);
            check(cudaGraphInstantiate(&executable_, graph, 0), "instantiating a graph");
        } catch (...) {
            cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
            if (cudaStreamIsCapturing(s, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone)
                cudaStreamEndCapture(s, &graph);
            if (graph) cudaGraphDestroy(graph);
            cudaGetLastError();
            throw;
        }
        cudaGraphDestroy(graph);
    }
    ~Graph() override {
        cudaStreamSynchronize(state().stream);
        cudaGraphExecDestroy(executable_);
    }
    void replay() override { check(cudaGraphLaunch(executable_, state().stream), "replaying a step"); }
    int kernels() const override { return kernels_; }

private:
    cudaGraphExec_t executable_ = nullptr;
    int kernels_ = 0;
};

class Ring : public UploadRing {
public:
    explicit Ring(std::size_t bytes) : bytes_(bytes) {
        check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "creating a stream");
        for (Slot& slot : slots_) {
            void* host = nullptr;
            check(cudaMallocHost(&host, bytes), "pinned memory for streamed images");
            slot.host = static_cast<uint8_t*>(host);
            slot.device = pool().allocate(bytes, cuda::name());
            for (cudaEvent_t* event : {&slot.copied, &slot.taken})
                check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "creating an event");
        }
    }
    ~Ring() override {
        cudaStreamSynchronize(copies_);
        cudaStreamSynchronize(state().stream);
        for (Slot& slot : slots_) {
            cudaFreeHost(slot.host);
            pool().release(slot.device, bytes_);
            cudaEventDestroy(slot.copied);
            cudaEventDestroy(slot.taken);
        }
        cudaStreamDestroy(copies_);
    }
    uint8_t* next() override {
        check(cudaEventSynchronize(slots_[head_].copied), "waiting for a copy to the device");
        return slots_[head_].host;
    }
    void submit(std::size_t bytes) override {
        Slot& slot = slots_[head_];
        slot.bytes = bytes;
        check(cudaStreamWaitEvent(copies_, slot.taken, 0), "streaming images");
        check(cudaMemcpyAsync(slot.device, slot.host, slot.bytes, cudaMemcpyHostToDevice, copies_), "streaming images");
        check(cudaEventRecord(slot.copied, copies_), "streaming images");
        head_ ^= 1;
    }
    void take(void* to) override {
        Slot& slot = slots_[tail_];
        const cudaStream_t s = state().stream;
        check(cudaStreamWaitEvent(s, slot.copied, 0), "streaming images");
        check(cudaMemcpyAsync(to, slot.device, slot.bytes, cudaMemcpyDeviceToDevice, s), "streaming images");
        check(cudaEventRecord(slot.taken, s), "streaming images");
        tail_ ^= 1;
    }

private:
    struct Slot {
        uint8_t* host = nullptr;
        void* device = nullptr;
        std::size_t bytes = 0;  // of what was submitted
        cudaEvent_t copied = nullptr, taken = nullptr;
    };
    std::size_t bytes_;
    cudaStream_t copies_ = nullptr;
    Slot slots_[2];
    int head_ = 0, tail_ = 0;
};

}  // namespace

std::unique_ptr<UploadRing> upload_ring(std::size_t bytes) { return std::make_unique<Ring>(bytes); }

std::unique_ptr<RecordedWork> record_work(const std::function<void()>& work) { return std::make_unique<Graph>(work); }

}  // namespace gannet::cuda
