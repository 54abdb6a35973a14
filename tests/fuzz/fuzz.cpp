// libFuzzer's entry point: one program for all targets; GANNET_FUZZ selects one. Built and run by `make fuzz`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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
