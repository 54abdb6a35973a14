#include "engine/bench/onednn.h"

#if defined(GANNET_ONEDNN) && !defined(GANNET_DOUBLE)
#include <omp.h>

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

namespace gannet::bench::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;

const dnnl::engine& engine() {
    static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
    return instance;
}

// The objects that a call uses; they must outlive it.
struct Call {
    dnnl::stream stream{engine()};
    dnnl::primitive primitive;
    std::unordered_map<int, memory> arguments;
    void operator()() {
        primitive.execute(stream, arguments);
        stream.wait();
    }
};

std::function<void()> call(dnnl::primitive primitive, std::unordered_map<int, memory> arguments) {
    const auto made = std::make_shared<Call>();
    made->primitive = std::move(primitive);
    made->arguments = std::move(arguments);
    return [made] { (*made)(); };
}

// Filled with ones, because denormals are slow.
memory own(const memory::desc& desc) {
    memory values(desc, engine());
    std::fill_n(static_cast<float*>(values.get_data_handle()), desc.get_size() / sizeof(float), 1.0f);
    return values;
}

}  // namespace

bool built() { return true; }

std::function<void()> matmul(const MatmulShape& s, real* c, real* a, real* b, int threads) try {
    omp_set_num_threads(threads);
    const memory::desc left({s.M, s.K}, f32, s.transpose_a ? memory::dims{1, s.M} : memory::dims{s.K, 1}),
        right({s.K, s.N}, f32, s.transpose_b ? memory::dims{1, s.K} : memory::dims{s.N, 1}), out({s.M, s.N}, f32, {s.N, 1});
    const dnnl::matmul::primitive_desc made(dnnl::matmul::desc(left, right, out), engine());
    return call(dnnl::matmul(made), {{DNNL_ARG_SRC, memory(left, engine(), a)},
                                     {DNNL_ARG_WEIGHTS, memory(right, engine(), b)},
                                     {DNNL_ARG_DST, memory(out, engine(), c)}});
} catch (const dnnl::error&) {
    return {};
}

std::function<void()> conv2d(const ConvShape& s, Pass pass, real* x, real* y, int threads) try {
    omp_set_num_threads(threads);
    using dnnl::algorithm;
    using dnnl::prop_kind;
    const memory::desc in({s.N, s.C, s.H, s.W}, f32, memory::format_tag::nhwc),
        filter({s.OC, s.C, s.R, s.S}, f32, memory::format_tag::any), out({s.N, s.OC, s.P, s.Q}, f32, memory::format_tag::nhwc);
    const memory::dims stride{s.stride, s.stride}, left{s.padding, s.padding},
        right{(s.P - 1) * s.stride + s.R - s.H - s.padding, (s.Q - 1) * s.stride + s.S - s.W - s.padding};
    const dnnl::convolution_forward::primitive_desc forward(
        {pass == Pass::forward ? prop_kind::forward_inference : prop_kind::forward_training, algorithm::convolution_auto, in,
         filter, out, stride, left, right},
        engine());
    const memory images(in, engine(), x), results(out, engine(), y);
    if (pass == Pass::forward)
        return call(dnnl::convolution_forward(forward),
                    {{DNNL_ARG_SRC, images}, {DNNL_ARG_WEIGHTS, own(forward.weights_desc())}, {DNNL_ARG_DST, results}});
    if (pass == Pass::data_gradient) {
        const dnnl::convolution_backward_data::primitive_desc made(
            {algorithm::convolution_direct, in, filter, out, stride, left, right}, engine(), forward);
        return call(dnnl::convolution_backward_data(made),
                    {{DNNL_ARG_DIFF_SRC, images}, {DNNL_ARG_WEIGHTS, own(made.weights_desc())}, {DNNL_ARG_DIFF_DST, results}});
    }
    const dnnl::convolution_backward_weights::primitive_desc made(
        {algorithm::convolution_direct, in, filter, out, stride, left, right}, engine(), forward);
    return call(dnnl::convolution_backward_weights(made),
                {{DNNL_ARG_SRC, images}, {DNNL_ARG_DIFF_WEIGHTS, own(made.diff_weights_desc())}, {DNNL_ARG_DIFF_DST, results}});
} catch (const dnnl::error&) {
    return {};
}

}  // namespace gannet::bench::onednn

#else

namespace gannet::bench::onednn {

bool built() { return false; }
std::function<void()> matmul(const MatmulShape&, real*, real*, real*, int) { return {}; }
std::function<void()> conv2d(const ConvShape&, Pass, real*, real*, int) { return {}; }

}  // namespace gannet::bench::onednn

#endif
