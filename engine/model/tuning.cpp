// The key cuda.tune: a table of matrix products with the implementation of each, as `apps/bench MODEL --tune FILE` writes it.
#include "base/error.h"
#include "engine/model/choices.h"
#include "engine/model/parts.h"
#include "engine/model/sections.h"

namespace gannet::config {
namespace {

const ObjectSpec product_spec = {
    "product",
    "One matrix product, C (M,N) = A (M,K) B (K,N).",
    {
        {.name = "M", .kind = Kind::size, .doc = "rows of C", .required = true},
        {.name = "N", .kind = Kind::size, .doc = "columns of C", .required = true},
        {.name = "K", .kind = Kind::size, .doc = "columns of A", .required = true},
        {.name = "transpose_a", .kind = Kind::boolean, .doc = "A is stored (K,M)", .otherwise = false},
        {.name = "transpose_b", .kind = Kind::boolean, .doc = "B is stored (N,K)", .otherwise = false},
        {.name = "plain", .kind = Kind::boolean, .doc = "without bias, activation and moments", .otherwise = true},
        {.name = "own_us", .kind = Kind::number, .doc = "microseconds of the project's own kernel", .min = 0},
        {.name = "cublas_us", .kind = Kind::number, .doc = "microseconds of cuBLAS's", .min = 0},
        {.name = "use",
         .kind = Kind::text,
         .doc = "which implementation to use",
         .required = true,
         .choices = words(tuned_choices)},
    }};

const ObjectSpec tuning_spec = {
    "tune",
    "Measured choices for one GPU model.",
    {
        {.name = "gpu", .kind = Kind::text, .doc = "the GPU that it was measured on", .required = true},
        {.name = "precision", .kind = Kind::text, .doc = "compute.precision", .required = true, .choices = words(precisions)},
        {.name = "products", .kind = Kind::anything, .doc = "the list of measured GEMMs", .required = true},
    }};

}  // namespace

void read_tuning(Value& tune, const std::string& precision) {
    const json::Origin origin = tune.origin;
    if (const std::string* file = tune.text()) {
        Value table;
        try {
            table = json::load(*file);
        } catch (const Error& e) {
            throw e.also_at(tune.where());
        }
        table.move_to(origin.path(), *file + (origin.place().empty() ? "" : ", " + origin.place()));
        tune = std::move(table);
    }
    const Object table = read_object(tune, tuning_spec, {});
    if (table.text("precision") != precision)
        throw Error(
            "'tune' was measured with the precision " + table.text("precision") + ", but compute.precision is " + precision,
            tune.where(), "measure again: apps/bench MODEL --set compute.precision=" + precision + " --tune FILE");
    const List* products = table.value("products").list();
    if (!products)
        throw Error("'products' is " + table.value("products").type_name() + ", not a list", tune.where(), "measure again");
    List checked;
    for (const Value& product : *products) checked.push_back(read_object(product, product_spec, {}).all());
    Value all(table.all());
    all.at("products") = std::move(checked);
    all.origin = origin;
    tune = std::move(all);
}

std::vector<TunedProduct> read_products(const Value& tune) {
    std::vector<TunedProduct> out;
    for (const Value& entry : *tune.find("products")->list()) {
        const Object p(entry);
        out.push_back({{p.integer("M"), p.integer("N"), p.integer("K"), p.boolean("transpose_a"), p.boolean("transpose_b")},
                       p.boolean("plain"),
                       choice(tuned_choices, p.text("use"))});
    }
    return out;
}

}  // namespace gannet::config
