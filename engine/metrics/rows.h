// Rows of a matrix, such as images or their features, that are chosen without a copy.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace gannet {

template <class T>
struct Rows {
    const T* values;  // of all rows; they must outlive this
    int64_t size;     // values in a row
    std::vector<int64_t> numbers;

    // All rows, or those that `takes` chooses by their numbers.
    Rows(const std::vector<T>& all, int64_t row_size, const std::function<bool(int64_t)>& takes = {})
        : values(all.data()), size(row_size) {
        for (int64_t i = 0; i < int64_t(all.size()) / size; ++i)
            if (!takes || takes(i)) numbers.push_back(i);
    }
    int64_t count() const { return int64_t(numbers.size()); }
    const T* operator[](int64_t i) const { return values + numbers[std::size_t(i)] * size; }
};

// At most `most` of the rows, evenly spaced.
template <class T>
Rows<T> evenly(Rows<T> rows, int64_t most) {
    const int64_t count = rows.count();
    if (count <= most) return rows;
    for (int64_t i = 0; i < most; ++i) rows.numbers[std::size_t(i)] = rows.numbers[std::size_t(i * count / most)];
    rows.numbers.resize(std::size_t(most));
    return rows;
}

}  // namespace gannet
