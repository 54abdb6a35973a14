// Measured choices between the project's own matrix products and cuBLAS's, before the fixed rule of kernels/cuda/matmul_cublas.h:
// what `apps/bench MODEL --tune FILE` wrote on somebody's GPU and the key cuda.tune applies. Settings of the whole process, made
// before a network is built.
#pragma once
#include <utility>
#include <vector>

#include "kernels/precision.h"
#include "kernels/shapes.h"

namespace gannet {

// A product, and who computes it. `plain`: without bias, activation and moments.
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

namespace detail {
inline std::vector<TunedProduct> tuned_products;
inline std::vector<TunedProduct>* seen_products = nullptr;
}  // namespace detail

inline void set_tuned_products(std::vector<TunedProduct> products) { detail::tuned_products = std::move(products); }
// While `into` is not null, every product that a GPU is asked for is added to it once.
inline void note_products(std::vector<TunedProduct>* into) { detail::seen_products = into; }

// What the table says of a product, or what the setting cuda.matmul says.
inline MatmulChoice choice_for(const MatmulShape& shape, bool plain) {
    const TunedProduct asked{shape, plain, matmul_choice()};
    if (detail::seen_products) {
        bool known = false;
        for (const TunedProduct& p : *detail::seen_products) known = known || p.same_product(asked);
        if (!known) detail::seen_products->push_back(asked);
    }
    if (asked.choice == MatmulChoice::automatic)
        for (const TunedProduct& p : detail::tuned_products)
            if (p.same_product(asked)) return p.choice;
    return asked.choice;
}

}  // namespace gannet
