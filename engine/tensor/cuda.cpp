#include "engine/tensor/cuda.h"

#include <cuda_runtime.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define GANNET_NVTX 1
#endif

#include "kernels/cuda/scratch.h"
#include "kernels/error.h"
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
    cudaStream_t stream = nullptr;
};

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

State open() {
    State s;
    int devices = 0, driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const cudaError_t error = cudaGetDeviceCount(&devices);
    if (driver == 0 && error != cudaSuccess) {
        s.unusable = "no NVIDIA driver is installed";
    } else if (error == cudaErrorInsufficientDriver) {
        s.unusable = "the NVIDIA driver serves CUDA " + version_text(driver) + ", this program needs " + version_text(runtime) +
                     ": update the driver";
    } else if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0)) {
        s.unusable = "no NVIDIA GPU is visible";
    } else if (error != cudaSuccess) {
        s.unusable = cudaGetErrorString(error);
    }
    cudaGetLastError();
    if (!s.unusable.empty()) return s;

    cudaDeviceProp properties = {};
    check(cudaGetDeviceProperties(&properties, 0), "device 0");
    s.capability = properties.major * 10 + properties.minor;
    s.name = "cuda (" + std::string(properties.name) + ", sm_" + std::to_string(s.capability) + ")";
    if (s.capability < 75) {
        s.unusable =
            std::string(properties.name) + " is an sm_" + std::to_string(s.capability) + ", sm_75 is the oldest supported";
        return s;
    }
    check(cudaSetDevice(0), "device 0");
    check(cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking), "creating a stream");
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
                                       [](void* data) { cudaFree(data); },
                                       []() -> std::size_t {
                                           std::size_t free = 0, total = 0;
                                           check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
                                           return total;
                                       },
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
    // cudaMalloc is legal while a stream is captured in relaxed mode: the region grows as the work asks for memory.
    explicit Graph(const std::function<void()>& work) {
        const cudaStream_t s = state().stream;
        cudaGraph_t graph = nullptr;
        region_ = pool().begin_region();
        try {
            check(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed), "capturing a step");
            work();
            check(cudaStreamEndCapture(s, &graph), "capturing a step");
        } catch (...) {
            if (!graph) cudaStreamEndCapture(s, &graph);
            cudaGetLastError();
            if (graph) cudaGraphDestroy(graph);
            pool().end_region();
            throw;
        }
        pool().end_region();
        std::size_t nodes = 0;
        check(cudaGraphGetNodes(graph, nullptr, &nodes), "counting a graph's nodes");
        kernels_ = int(nodes);
        const cudaError_t error = cudaGraphInstantiate(&executable_, graph, 0);
        cudaGraphDestroy(graph);
        check(error, "instantiating a graph");
    }
    ~Graph() override {
        cudaStreamSynchronize(state().stream);
        cudaGraphExecDestroy(executable_);
        pool().free_region(region_);
    }
    void replay() override { check(cudaGraphLaunch(executable_, state().stream), "replaying a step"); }
    int kernels() const override { return kernels_; }

private:
    cudaGraphExec_t executable_ = nullptr;
    int region_ = 0, kernels_ = 0;
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
