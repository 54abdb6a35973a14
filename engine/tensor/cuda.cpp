#include "engine/tensor/cuda.h"

#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <utility>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define GANNET_NVTX 1
#endif

#include "base/error.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/probe.h"
#include "kernels/place.h"

namespace gannet::cuda {
namespace {

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();
    throw Error(std::string("CUDA: ") + cudaGetErrorString(error), what,
                "an earlier kernel may be the cause: run again with CUDA_LAUNCH_BLOCKING=1 and --set cuda.graph=false");
}

std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

// The reason why there is no GPU with this number; "" if there is one.
std::string missing(int index) {
    int devices = 0, driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const cudaError_t error = cudaGetDeviceCount(&devices);
    if (driver == 0 && error != cudaSuccess) return "no NVIDIA driver is installed";
    if (error == cudaErrorInsufficientDriver)
        return "the NVIDIA driver serves CUDA " + version_text(driver) + ", this program needs " + version_text(runtime) +
               ": update the driver";
    if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0)) return "no NVIDIA GPU is visible";
    if (error != cudaSuccess) return cudaGetErrorString(error);
    if (index < devices) return "";
    return "there is no GPU " + std::to_string(index) + ": " +
           (devices == 1 ? "the only one is cuda:0"
                         : std::to_string(devices) + " are visible, the last is cuda:" + std::to_string(devices - 1));
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

// tools/simt's device memory is the host's.
#ifdef GANNET_SIMT
constexpr bool on_host = true;
#else
constexpr bool on_host = false;
#endif

class Gpu final : public Hardware, public ScratchMemory {
public:
    explicit Gpu(int index) : index_(index) {
        unusable_ = missing(index);
        if (unusable_.empty()) {
            unusable_ = start();
            if (!unusable_.empty()) cudaDeviceReset();  // the process lives on without a context
        }
        cudaGetLastError();
        if (!unusable_.empty()) return;
        name_ = "cuda" + (index ? ":" + std::to_string(index) : "") + " (" + name_ + ")";
#ifdef GANNET_NVTX
        profiler_ranges = {[](void*, const StepPart& part) { nvtxRangePushA(part.name); }, [](void*) { nvtxRangePop(); }};
#endif
    }

    const std::string& unusable() const { return unusable_; }
    cudaStream_t stream() const { return stream_; }
    // The CUDA runtime's calls are about the current GPU.
    void select() const { check(kernels::cuda::select_gpu(index_), "selecting the GPU"); }

    std::string name() const override { return name_; }
    Pool& pool() override { return pool_; }
    Execution execution() override {
        return {.stream = stream_, .gpu = index_, .capability = capability_, .scratch = this, .cublas = &cublas_};
    }
    void* allocate(std::size_t bytes) override { return pool_.allocate(bytes, name_); }
    void release(void* data, std::size_t bytes) override { pool_.release(data, bytes); }

    // The host's memory is pageable: the call returns when it may be reused.
    void copy_from_host(void* to, const void* from, std::size_t bytes) override {
        copy(to, from, bytes, cudaMemcpyHostToDevice, "copying to the device");
    }
    void copy_to_host(void* to, const void* from, std::size_t bytes) override {
        copy(to, from, bytes, cudaMemcpyDeviceToHost, "copying from the device");
    }
    int64_t available_memory() override {
        const MemoryStats held = pool_.stats();
        return int64_t(memory().first) + held.held_bytes - held.live_bytes;
    }
    DevicePeaks peaks() override;
    double seconds(const std::function<void()>& work) override;
    std::unique_ptr<UploadRing> upload_ring(std::size_t bytes) override;
    bool records() const override { return true; }
    std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override;

private:
    // Creates the context, loads the program's code, runs a first kernel and allocates memory, so that any reason why this GPU
    // cannot be used appears here.
    std::string start() {
        const char* doing = "reading its properties";
        const auto begin = [&]() -> cudaError_t {
            cudaDeviceProp properties = {};
            if (const cudaError_t error = cudaGetDeviceProperties(&properties, index_)) return error;
            capability_ = properties.major * 10 + properties.minor;
            name_ = std::string(properties.name) + ", sm_" + std::to_string(capability_);
            if (capability_ < 75) return cudaSuccess;
            doing = "creating a context";
            if (const cudaError_t error = cudaSetDevice(index_)) return error;
            kernels::cuda::current_gpu = index_;
            std::size_t free = 0;
            if (const cudaError_t error = cudaMemGetInfo(&free, &memory_)) return error;
            if (const cudaError_t error = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)) return error;
            doing = "running a first kernel";
            const Execution on = execution();
            if (const cudaError_t error = kernels::cuda::launch_nothing(&on)) return error;
            if (const cudaError_t error = cudaStreamSynchronize(stream_)) return error;
            doing = "allocating 16 MiB";  // a context fits on a GPU that is otherwise full
            void* memory = nullptr;
            if (const cudaError_t error = cudaMalloc(&memory, 16 << 20)) return error;
            return cudaFree(memory);
        };
        if (const cudaError_t error = begin())
            return (name_.empty() ? "GPU " + std::to_string(index_) : name_) + ": " + cudaGetErrorString(error) + ", while " +
                   doing + advice(error);
        return capability_ < 75 ? name_ + ": sm_75 is the oldest supported" : "";
    }

    std::pair<std::size_t, std::size_t> memory() const {  // free, and all
        std::size_t free = 0, total = 0;
        select();
        check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
        return {free, total};
    }

    void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, const char* what) {
        if (bytes == 0) return;
        select();
        check(cudaMemcpyAsync(to, from, bytes, kind, stream_), what);
        check(cudaStreamSynchronize(stream_), what);
    }

    int index_;
    std::string unusable_, name_;
    int capability_ = 0;
    std::size_t memory_ = 0;  // bytes
    cudaStream_t stream_ = nullptr;
    std::shared_ptr<void> cublas_;
    Pool pool_{{[this](std::size_t bytes) -> void* {
                    void* data = nullptr;
                    select();
                    if (cudaMalloc(&data, bytes) == cudaSuccess) return data;
                    cudaGetLastError();
                    return nullptr;
                },
                [](void* data) { cudaFree(data); }, [this] { return memory_; },
                [this] {
                    const auto [free, total] = memory();
                    return "the GPU has " + std::to_string(free >> 20) + " MiB free of " + std::to_string(total >> 20) + " MiB";
                },
                "out of device memory", on_host}};
};

// Each GPU is opened once and never destroyed, because at exit the runtime may be destroyed first.
Gpu& opened(int index) {
    struct Opened {
        std::mutex mutex;
        std::map<int, Gpu> gpus;
    };
    static Opened& all = *new Opened;
    const std::lock_guard lock(all.mutex);
    return all.gpus.try_emplace(index, index).first->second;
}

}  // namespace

std::string unusable(int index) { return opened(index).unusable(); }
Hardware& gpu(int index) { return opened(index); }

namespace {

// fp32 FMA instructions per cycle and multiprocessor: CUDA's programming guide, "Arithmetic Instructions".
DevicePeaks Gpu::peaks() {
    const auto attribute = [this](cudaDeviceAttr which) {
        int value = 0;
        if (cudaDeviceGetAttribute(&value, which, index_) != cudaSuccess) cudaGetLastError();
        return double(value);
    };
    const double per_cycle = capability_ <= 80 || capability_ == 87 ? 64 : 128;
    // Clocks are in kHz; memory moves data on both edges.
    return {2 * per_cycle * attribute(cudaDevAttrMultiProcessorCount) * attribute(cudaDevAttrClockRate) * 1e3,
            2 * attribute(cudaDevAttrMemoryClockRate) * 1e3 * attribute(cudaDevAttrGlobalMemoryBusWidth) / 8};
}

double Gpu::seconds(const std::function<void()>& work) {
    select();
    struct Event {
        cudaEvent_t event = nullptr;
        Event() { check(cudaEventCreate(&event), "creating an event"); }
        ~Event() { cudaEventDestroy(event); }
    } begin, end;
    check(cudaEventRecord(begin.event, stream_), "timing");
    work();
    check(cudaEventRecord(end.event, stream_), "timing");
    check(cudaEventSynchronize(end.event), "timing");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.event, end.event), "timing");
    return double(milliseconds) * 1e-3;
}

class Graph : public RecordedWork {
public:
    Graph(const Gpu& gpu, const std::function<void()>& work) : gpu_(gpu) {
        gpu.select();
        const cudaStream_t s = gpu.stream();
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
        cudaStreamSynchronize(gpu_.stream());
        cudaGraphExecDestroy(executable_);
    }
    void replay() override {
        gpu_.select();
        check(cudaGraphLaunch(executable_, gpu_.stream()), "replaying a step");
    }
    int kernels() const override { return kernels_; }

private:
    const Gpu& gpu_;
    cudaGraphExec_t executable_ = nullptr;
    int kernels_ = 0;
};

class Ring : public UploadRing {
public:
    Ring(Gpu& gpu, std::size_t bytes) : gpu_(gpu), bytes_(bytes) {
        gpu.select();
        check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "creating a stream");
        for (Slot& slot : slots_) {
            void* host = nullptr;
            check(cudaMallocHost(&host, bytes), "pinned memory for streamed images");
            slot.host = static_cast<uint8_t*>(host);
            slot.device = gpu.allocate(bytes);
            for (cudaEvent_t* event : {&slot.copied, &slot.taken})
                check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "creating an event");
        }
    }
    ~Ring() override {
        cudaStreamSynchronize(copies_);
        cudaStreamSynchronize(gpu_.stream());
        for (Slot& slot : slots_) {
            cudaFreeHost(slot.host);
            gpu_.release(slot.device, bytes_);
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
        gpu_.select();
        Slot& slot = slots_[head_];
        slot.bytes = bytes;
        check(cudaStreamWaitEvent(copies_, slot.taken, 0), "streaming images");
        check(cudaMemcpyAsync(slot.device, slot.host, slot.bytes, cudaMemcpyHostToDevice, copies_), "streaming images");
        check(cudaEventRecord(slot.copied, copies_), "streaming images");
        head_ ^= 1;
    }
    void take(void* to) override {
        gpu_.select();
        Slot& slot = slots_[tail_];
        const cudaStream_t s = gpu_.stream();
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
    Gpu& gpu_;
    std::size_t bytes_;
    cudaStream_t copies_ = nullptr;
    Slot slots_[2];
    int head_ = 0, tail_ = 0;
};

std::unique_ptr<UploadRing> Gpu::upload_ring(std::size_t bytes) { return std::make_unique<Ring>(*this, bytes); }
std::unique_ptr<RecordedWork> Gpu::record(const std::function<void()>& work) { return std::make_unique<Graph>(*this, work); }

}  // namespace
}  // namespace gannet::cuda
