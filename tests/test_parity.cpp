// Compares every op and every kernel with naive references in double, on every instruction set of the machine. Results must be
// bit-identical for a range of samples, for any number of threads and in repeated runs. Every op and kernel must have a case.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/kernel_cases.h"
#include "tests/op_cases.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, size) ((void)(begin), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(begin, size) ((void)(begin), (void)(size))
#endif

using namespace gannet;
using namespace gannet::tests;

namespace {

// Guard values on either side of an array: 17 leave it aligned only to its element type, 16 to the widest loads.
constexpr std::size_t guards[] = {17, 16};

// An array in device memory between two guards of NaN. Each array has its own NaN payload, so that a kernel that reads a guard of
// an input and writes it over a guard of an output is detected.
class Guarded {
public:
    Guarded(Device device, const std::vector<real>& values, int index, std::size_t guard)
        : device_(device), size_(values.size()), bytes_((size_ + 2 * guard) * sizeof(real)), guards_(guard, nan(index)) {
        std::vector<real> all = guards_;
        all.insert(all.end(), values.begin(), values.end());
        all.insert(all.end(), guards_.begin(), guards_.end());
        memory_ = static_cast<real*>(device_.allocate(bytes_));
        device_.copy_from_host(memory_, all.data(), bytes_);
        if (device.is_cuda()) return;
        ASAN_POISON_MEMORY_REGION(memory_, guard * sizeof(real));
        ASAN_POISON_MEMORY_REGION(data() + size_, guard * sizeof(real));
    }
    ~Guarded() {
        ASAN_UNPOISON_MEMORY_REGION(memory_, bytes_);
        device_.release(memory_, bytes_);
    }
    Guarded(const Guarded&) = delete;

    real* data() const { return memory_ + guards_.size(); }
    std::vector<real> values() const { return range(guards_.size(), size_); }
    bool guards_intact() const {
        ASAN_UNPOISON_MEMORY_REGION(memory_, bytes_);
        return same(range(0, guards_.size()), guards_) && same(range(guards_.size() + size_, guards_.size()), guards_);
    }
    static bool same(const std::vector<real>& a, const std::vector<real>& b) {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(real)) == 0);
    }

private:
    std::vector<real> range(std::size_t begin, std::size_t count) const {
        std::vector<real> values(count);
        device_.copy_to_host(values.data(), memory_ + begin, count * sizeof(real));
        return values;
    }
    static real nan(int index) {
        const std::string payload = std::to_string(index + 1);
        if constexpr (sizeof(real) == sizeof(float)) return std::nanf(payload.c_str());
        else return std::nan(payload.c_str());
    }
    Device device_;
    std::size_t size_, bytes_;
    std::vector<real> guards_;
    real* memory_;
};

std::vector<real> to_real(const Values& values) { return std::vector<real>(values.begin(), values.end()); }
Values to_double(const std::vector<real>& values) { return Values(values.begin(), values.end()); }

// The arrays of a case before the call; outputs are NaN.
Lists before(const KernelCase& c) {
    Lists lists;
    for (const Block& block : c.blocks) {
        if (block.access == Access::out) lists.emplace_back(std::size_t(block.size), NAN);
        else lists.push_back(to_double(draw(block.values, block.size, c.name(), int(lists.size()))));
    }
    if (c.prepare) c.prepare(lists);
    for (Values& values : lists) values = to_double(to_real(values));
    return lists;
}

// Runs the case and returns the written arrays. `why` describes changed inputs and guards.
std::vector<std::vector<real>> run(const KernelCase& c, const Lists& lists, Device device, std::string& why,
                                   std::size_t guard = guards[0]) {
    std::vector<std::unique_ptr<Guarded>> arrays;
    std::vector<real*> pointers;
    for (const Values& values : lists) {
        arrays.push_back(std::make_unique<Guarded>(device, to_real(values), int(arrays.size()), guard));
        pointers.push_back(arrays.back()->data());
    }
    c.run(device, pointers);
    std::vector<std::vector<real>> written;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
        if (!arrays[i]->guards_intact()) why += " wrote beyond array " + std::to_string(i);
        const std::vector<real> after = arrays[i]->values();
        if (c.blocks[i].access != Access::in) written.push_back(after);
        else if (!Guarded::same(after, to_real(lists[i]))) why += " changed input " + std::to_string(i);
    }
    return written;
}

std::vector<std::vector<real>> to_host(const Tensors& xs) {
    std::vector<std::vector<real>> lists;
    for (const Tensor& x : xs) lists.push_back(x ? x.to_host() : std::vector<real>());
    return lists;
}

// Outputs and first gradients of a case for fixed cotangents; `from` and `count` select a range of its samples.
struct Results {
    std::vector<std::vector<real>> outputs, gradients;
};
Results evaluate(const OpCase& c, Device device, int64_t from = 0, int64_t count = -1) {
    Tensors inputs = make_inputs(c, device);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (count >= 0 && c.inputs[i].use == Use::batched) inputs[i] = inputs[i].rows(from, count).set_requires_grad();
    const Tensors outputs = c.build(inputs);
    Tensors ys, dys, xs;
    for (const Tensor& y : outputs) {
        if (!y.requires_grad()) continue;
        // The cotangent of a range is that range of the whole cotangent.
        const int64_t per_row = y.shape().empty() || y.dim(0) == 0 ? y.size() : y.size() / y.dim(0);
        const std::vector<real> all =
            draw(symmetric, (from + (y.shape().empty() ? 1 : y.dim(0))) * per_row, c.name(), int(900 + ys.size()));
        ys.push_back(y);
        dys.push_back(Tensor::from({all.begin() + long(from * per_row), all.end()}, y.shape(), device));
    }
    for (const Tensor& x : inputs)
        if (x.requires_grad()) xs.push_back(x);
    return {to_host(outputs), to_host(grad(ys, xs, dys))};
}

bool same(const std::vector<std::vector<real>>& a, const std::vector<std::vector<real>>& b) {
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) equal = Guarded::same(a[i], b[i]);
    return equal;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// First capture groups of all matches of a pattern in the files of a folder.
std::set<std::string> names_in(const char* folder, const char* extension, const char* pattern) {
    std::set<std::string> names;
    const std::regex expression(pattern);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != extension) continue;
        const std::string text = read(entry.path());
        for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match)
            names.insert((*match)[1]);
    }
    return names;
}

void collect_ops(const Tensor& y, std::set<const Node*>& seen, std::set<std::string>& ops) {
    const Node* node = y ? y.impl()->node.get() : nullptr;
    if (!node || !seen.insert(node).second) return;
    ops.insert(node->op);
    for (const Tensor& x : node->inputs) collect_ops(x, seen, ops);
}

}  // namespace

TEST_CASE("every op agrees with its reference on every instruction set") {
    for (const OpCase& c : op_cases()) {
        Lists inputs;
        for (const Tensor& x : make_inputs(c, Device::cpu())) inputs.push_back(to_double(x.to_host()));
        const Lists expected = c.reference(inputs);
        for (const Device& device : devices()) {
            const Tensors outputs = c.build(make_inputs(c, device));
            REQUIRE_MESSAGE(outputs.size() == expected.size(), c.name());
            for (std::size_t i = 0; i < outputs.size(); ++i) {
                const double worst = mismatch(outputs[i].to_host(), expected[i], c.ulps, c.terms, c.least);
                CHECK_MESSAGE(worst <= 1, c.name(), ", output ", i, " on ", device.name(), ": off by ", worst, " tolerances");
            }
        }
    }
}

TEST_CASE("every kernel agrees with its reference and writes only its outputs") {
    for (const KernelCase& c : kernel_cases()) {
        const Lists lists = before(c), expected = c.reference(lists);
        for (const Device& device : devices())
            for (const std::size_t guard : guards) {
                std::string why;
                const auto written = run(c, lists, device, why, guard);
                CHECK_MESSAGE(why.empty(), c.name(), " on ", device.name(), why);
                REQUIRE_MESSAGE(written.size() == expected.size(), c.name());
                for (std::size_t i = 0; i < written.size(); ++i) {
                    const double worst = mismatch(written[i], expected[i], c.ulps, c.terms);
                    CHECK_MESSAGE(worst <= 1, c.name(), ", output ", i, " on ", device.name(), ", guard ", guard, ": off by ",
                                  worst, " tolerances");
                }
            }
    }
}

TEST_CASE("a range of samples gives the same bits as the whole batch") {
    for (const OpCase& c : op_cases()) {
        if (!c.per_sample()) continue;
        int64_t samples = 0;
        for (const Input& input : c.inputs)
            if (input.use == Use::batched) samples = input.shape[0];
        if (samples < 2) continue;
        for (const Device& device : devices()) {
            const Results whole = evaluate(c, device);
            for (const auto& [from, count] :
                 {std::pair<int64_t, int64_t>{0, 1}, {samples - 1, 1}, {samples / 3, samples - samples / 3}}) {
                const Results part = evaluate(c, device, from, count);
                const auto is_range = [&, first = from](const std::vector<real>& p, const std::vector<real>& w) {
                    const std::size_t begin = w.size() / std::size_t(samples) * std::size_t(first);
                    return begin + p.size() <= w.size() &&
                           Guarded::same(p, {w.begin() + long(begin), w.begin() + long(begin + p.size())});
                };
                CHECK_MESSAGE(is_range(part.outputs[0], whole.outputs[0]), c.name(), " on ", device.name(), ": samples ", from,
                              " + ", count);
                std::size_t k = 0;
                for (std::size_t i = 0; i < c.inputs.size(); ++i) {
                    if (c.inputs[i].use == Use::batched)
                        CHECK_MESSAGE(is_range(part.gradients[k], whole.gradients[k]), c.name(), " on ", device.name(),
                                      ": gradient ", i, ", samples ", from, " + ", count);
                    k += c.inputs[i].use != Use::constant;
                }
            }
        }
    }
}

TEST_CASE("results do not depend on the number of threads and are reproducible") {
    std::vector<Results> ops;
    std::vector<std::vector<std::vector<real>>> kernels;
    for (const int threads : {1, 2, 2, 3}) {
        std::size_t op = 0, kernel = 0;
        for (const Device& device : devices(threads)) {
            for (const OpCase& c : op_cases()) {
                const Results now = evaluate(c, device);
                if (threads == 1) ops.push_back(now);
                const Results& first = ops[op++];
                CHECK_MESSAGE((same(now.outputs, first.outputs) && same(now.gradients, first.gradients)), c.name(), " on ",
                              device.name(), " with ", threads, " threads");
            }
            for (const KernelCase& c : kernel_cases()) {
                std::string why;
                const auto now = run(c, before(c), device, why);
                if (threads == 1) kernels.push_back(now);
                CHECK_MESSAGE(same(now, kernels[kernel++]), c.name(), " on ", device.name(), " with ", threads, " threads");
            }
        }
    }
}

TEST_CASE("every op and every kernel has a case") {
    std::set<std::string> named, recorded, kernels;
    for (const OpCase& c : op_cases()) {
        named.insert(c.op);
        std::set<const Node*> seen;
        std::set<std::string> ops;
        for (const Tensor& y : c.build(make_inputs(c, Device::cpu()))) collect_ops(y, seen, ops);
        CHECK_MESSAGE(ops.contains(c.op), c.name(), " does not record its op");
    }
    for (const KernelCase& c : kernel_cases()) kernels.insert(c.kernel);
    const std::set<std::string> ops = names_in("engine/autograd", ".cpp", "record(?:_grad|_layer)?\\(\"(\\w+)\"");
    const std::set<std::string> declared = names_in("kernels/contract", ".inl", "void (\\w+)\\(");
    CHECK(ops.size() > 30);  // the patterns still match
    CHECK(declared.size() > 50);
    for (const std::string& name : ops) CHECK_MESSAGE(named.contains(name), "no case in tests/op_cases*.cpp for the op ", name);
    for (const std::string& name : declared)
        CHECK_MESSAGE(kernels.contains(name), "no case in tests/kernel_cases*.cpp for the kernel ", name);
}
