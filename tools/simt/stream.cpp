// Streams, events, capture and graphs. A stream's work is done when it is enqueued. If the stream is being captured, the work
// becomes a graph node instead and is done when the graph is launched.
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime.h"

struct CUgraphNode_st {
    cudaGraphNodeType type;
    std::function<cudaError_t()> work;
};
struct CUgraph_st {
    std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};
struct CUgraphExec_st {
    std::vector<std::function<cudaError_t()>> work;
};
struct CUstream_st {
    int device = simt::current_device();
};
struct CUevent_st {
    std::chrono::steady_clock::time_point time;
    bool recorded = false, captured = false;
};

namespace simt {
namespace {

// Only one stream can be captured at a time.
struct Capture {
    cudaStream_t stream = nullptr;
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id thread;
    std::unique_ptr<CUgraph_st> graph;
    bool spoilt = false;
};
std::recursive_mutex mutex;
Capture capture;

bool concerns_this_thread() {
    return capture.stream && (capture.mode == cudaStreamCaptureModeGlobal ||
                              (capture.mode == cudaStreamCaptureModeThreadLocal && capture.thread == std::this_thread::get_id()));
}

}  // namespace

bool is_capturing(cudaStream_t stream) {
    const std::lock_guard lock(mutex);
    return stream && stream == capture.stream;
}

cudaError_t invalidate_capture(cudaError_t error) {
    const std::lock_guard lock(mutex);
    capture.spoilt = true;
    return error;
}

cudaError_t forbidden_in_capture() {
    const std::lock_guard lock(mutex);
    return concerns_this_thread() ? invalidate_capture(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t forbidden_in_any_capture() {
    const std::lock_guard lock(mutex);
    return capture.stream ? invalidate_capture(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<cudaError_t()> work) {
    if (stream && stream->device != current_device()) return cudaErrorInvalidResourceHandle;
    {
        const std::lock_guard lock(mutex);
        if (is_capturing(stream)) {
            if (capture.spoilt) return cudaErrorStreamCaptureInvalidated;
            capture.graph->nodes.push_back(std::make_unique<CUgraphNode_st>(CUgraphNode_st{type, std::move(work)}));
            return cudaSuccess;
        }
        // The legacy stream would wait for the captured stream.
        if (!stream && concerns_this_thread()) return invalidate_capture(cudaErrorStreamCaptureImplicit);
    }
    return work();
}

}  // namespace simt

using simt::capture, simt::result;
using Lock = std::lock_guard<std::recursive_mutex>;

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    SIMT_CALLED();
    *stream = new CUstream_st;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    SIMT_CALLED();
    if (!stream) return result(cudaErrorInvalidResourceHandle);
    if (simt::is_capturing(stream)) return result(simt::invalidate_capture(cudaErrorStreamCaptureUnsupported));
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    SIMT_CALLED();
    if (simt::is_capturing(stream)) return result(simt::invalidate_capture(cudaErrorStreamCaptureUnsupported));
    return result(stream ? cudaSuccess : simt::forbidden_in_capture());
}
cudaError_t cudaStreamQuery(cudaStream_t stream) { return cudaStreamSynchronize(stream); }

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    SIMT_CALLED();
    if (!event) return result(cudaErrorInvalidResourceHandle);
    // A graph of several streams is not supported.
    return result(event->captured && !simt::is_capturing(stream) ? cudaErrorNotSupported : cudaSuccess);
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    SIMT_CALLED();
    *event = new CUevent_st;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    if (!event) return result(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    SIMT_CALLED();
    if (!event) return result(cudaErrorInvalidResourceHandle);
    *event = {std::chrono::steady_clock::now(), true, simt::is_capturing(stream)};
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    SIMT_CALLED();
    if (!event) return result(cudaErrorInvalidResourceHandle);
    if (event->captured) return result(cudaErrorCapturedEvent);
    return result(simt::forbidden_in_capture());
}
cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    if (!start || !end || !start->recorded || !end->recorded) return result(cudaErrorInvalidResourceHandle);
    if (start->captured || end->captured) return result(cudaErrorCapturedEvent);
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    SIMT_CALLED();
    const Lock lock(simt::mutex);
    if (!stream) return result(cudaErrorStreamCaptureUnsupported);
    if (capture.stream == stream) return result(cudaErrorIllegalState);
    if (capture.stream) return result(cudaErrorNotSupported);
    capture = {stream, mode, std::this_thread::get_id(), std::make_unique<CUgraph_st>(), false};
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    SIMT_CALLED();
    const Lock lock(simt::mutex);
    *graph = nullptr;
    if (!simt::is_capturing(stream)) return result(cudaErrorStreamCaptureUnmatched);
    if (capture.mode != cudaStreamCaptureModeRelaxed && capture.thread != std::this_thread::get_id())
        return result(simt::invalidate_capture(cudaErrorStreamCaptureWrongThread));
    const bool spoilt = capture.spoilt;
    if (!spoilt) *graph = capture.graph.release();
    capture = {};
    return result(spoilt ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    const Lock lock(simt::mutex);
    *status = !simt::is_capturing(stream) ? cudaStreamCaptureStatusNone
              : capture.spoilt            ? cudaStreamCaptureStatusInvalidated
                                          : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
    SIMT_CALLED();
    if (!graph) return result(cudaErrorInvalidValue);
    *exec = new CUgraphExec_st;
    for (const auto& node : graph->nodes) (*exec)->work.push_back(node->work);
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    SIMT_CALLED();
    if (!exec) return result(cudaErrorInvalidValue);
    if (simt::is_capturing(stream)) return result(simt::invalidate_capture(cudaErrorStreamCaptureUnsupported));
    for (const auto& work : exec->work)
        if (const cudaError_t error = work()) return result(error);
    return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t) { return result(exec ? cudaSuccess : cudaErrorInvalidValue); }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    SIMT_CALLED();
    if (!graph) return result(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    SIMT_CALLED();
    if (!exec) return result(cudaErrorInvalidValue);
    delete exec;
    return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
    SIMT_CALLED();
    if (!graph || !count) return result(cudaErrorInvalidValue);
    if (nodes)
        for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
    if (!nodes || *count > graph->nodes.size()) *count = graph->nodes.size();
    return cudaSuccess;
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
    if (!node) return result(cudaErrorInvalidValue);
    *type = node->type;
    return cudaSuccess;
}
