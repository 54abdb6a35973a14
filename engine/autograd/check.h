#pragma once
#include <string>

#include "base/error.h"
#include "engine/autograd/ops.h"

namespace gannet {

// Throws `op: a (2, 3) does not fit b (4)`.
inline void check_fit(bool fits, const char* op, const Tensor& a, const Tensor& b, const char* must = "") {
    if (fits) return;
    throw Error(
        std::string(op) + ": shape " + (a ? a.shape().str() : "absent") + " does not fit " + (b ? b.shape().str() : "absent"), "",
        must);
}
inline void check_rows(const char* op, const Tensor& x, const RowsShape& s) {
    if (!x || x.size() != s.size())
        throw Error(std::string(op) + ": shape " + (x ? x.shape().str() : "absent") + " is not " + std::to_string(s.rows) +
                    " rows of " + std::to_string(s.cols));
}
inline real* data_or_null(const Tensor& x) { return x ? x.data() : nullptr; }

inline Tensor allocate(const Shape& shape, Device device, const Tensor& into = {}) {
    return into && into.shape() == shape ? into.detach() : Tensor::empty(shape, device);
}

}  // namespace gannet
