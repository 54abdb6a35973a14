// The safetensors format: named arrays and text metadata. https://github.com/huggingface/safetensors
// 8 bytes length of the header, the header (JSON: name -> dtype, shape, data_offsets), the arrays without gaps.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace gannet {

// Takes the bytes of an array, piece by piece.
using TakeBytes = std::function<void(const std::byte* bytes, std::size_t count)>;

struct Array {
    std::string name;
    std::string dtype;  // the format's words: "F32", "F64", "I64", "U8", ...
    std::vector<int64_t> shape;
    std::vector<std::byte> data;  // little-endian, row-major
    // Gives the bytes in whole elements, instead of `data`: from a file, or of values that are converted only now.
    std::function<void(const TakeBytes& take)> source = {};

    void pieces(const TakeBytes& take) const;
    int64_t bytes() const;  // as its type and shape say; -1 on overflow
    void load();            // from `source` into `data`
};

struct Safetensors {
    std::map<std::string, std::string> metadata;
    std::vector<Array> arrays;
    const Array* find(const std::string& name) const;  // null if there is none
};

// Replaces the file completely, or keeps the old one and throws Error. Arrays are written widest type first, then by name, so
// that each is aligned to its element size. Shapes and data must agree, names must be unique.
void write_safetensors(const std::string& path, const Safetensors& content);

// Strict: throws Error unless the file is complete and its arrays fill it without gaps or overlaps. Reads all whole-byte types of
// the format; the caller checks which it supports. Reads only the header: each array has a `source`, which keeps the file open,
// also if its name is given to another.
Safetensors open_safetensors(const std::string& path, const FreeMemory& free = free_memory_now);
// The same with all arrays in memory.
Safetensors read_safetensors(const std::string& path, const FreeMemory& free = free_memory_now);

// Bytes of one element, 0 for an unknown type.
int64_t dtype_bytes(const std::string& dtype);
std::string shape_text(const std::vector<int64_t>& shape);  // "(64, 3, 4, 4)"

template <class T>
std::string dtype_word() {
    if constexpr (std::is_same_v<T, float>) return "F32";
    if constexpr (std::is_same_v<T, double>) return "F64";
    if constexpr (std::is_same_v<T, int64_t>) return "I64";
    if constexpr (std::is_same_v<T, int32_t>) return "I32";
    if constexpr (std::is_same_v<T, uint8_t>) return "U8";
    return "";
}

template <class T>
Array make_array(std::string name, std::vector<int64_t> shape, const T* values, int64_t count) {
    Array array{std::move(name), dtype_word<T>(), std::move(shape), std::vector<std::byte>(std::size_t(count) * sizeof(T))};
    if (count > 0) std::memcpy(array.data.data(), values, array.data.size());
    return array;
}
template <class T>
Array make_array(std::string name, std::vector<int64_t> shape, const std::vector<T>& values) {
    return make_array(std::move(name), std::move(shape), values.data(), int64_t(values.size()));
}

// Throws Error if the array has a different type.
template <class T>
std::vector<T> values_of(const Array& array) {
    if (array.dtype != dtype_word<T>()) throw Error(array.name + " is " + array.dtype + ", expected " + dtype_word<T>());
    if (array.source) throw Error(array.name + " is not loaded");
    std::vector<T> values(array.data.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), array.data.data(), values.size() * sizeof(T));
    return values;
}

}  // namespace gannet
