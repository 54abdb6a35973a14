// libFuzzer's entry point: one program for all targets; GANNET_FUZZ selects one. Built and run by `make fuzz`.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "base/error.h"
#include "tests/fuzz/target.h"

using namespace gannet;

namespace {

const fuzz::Target& chosen() {
    const char* name = std::getenv("GANNET_FUZZ");
    for (const fuzz::Target& target : fuzz::targets())
        if (name && std::strcmp(name, target.name) == 0) return target;
    std::fprintf(stderr, "fuzz: GANNET_FUZZ names one of:");
    for (const fuzz::Target& target : fuzz::targets()) std::fprintf(stderr, " %s", target.name);
    std::fprintf(stderr, "\n");
    std::exit(1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t count) {
    static const fuzz::Target& target = chosen();
    try {
        target.run(std::string(reinterpret_cast<const char*>(bytes), count));
    } catch (const Error&) {
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(uint8_t* bytes, std::size_t count, std::size_t most);

// One mutation in three of a text replaces a number with one at a limit of an integer type. Byte by byte, the fuzzer rarely
// writes two of them, whose product overflows.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* bytes, std::size_t count, std::size_t most, unsigned seed) {
    static const std::string numbers[] = {"0", "-1", "2147483648", "4294967296", "9223372036854775807"};
    std::minstd_rand random(seed);
    const auto digit = [](uint8_t c) { return std::isdigit(c) != 0; };
    uint8_t *const end = bytes + count, *from = std::find_if(bytes + random() % std::max<std::size_t>(count, 1), end, digit);
    const uint8_t* const to = std::find_if_not(from, end, digit);
    while (from > bytes && digit(from[-1])) --from;
    const std::string& number = numbers[random() % std::size(numbers)];
    const std::size_t length = count - std::size_t(to - from) + number.size();
    if (random() % 3 != 0 || from == to || length > most || std::memchr(bytes, 0, count))
        return LLVMFuzzerMutate(bytes, count, most);
    std::memmove(from + number.size(), to, std::size_t(end - to));
    std::copy(number.begin(), number.end(), from);
    return length;
}
