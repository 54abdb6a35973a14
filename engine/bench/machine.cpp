#include "engine/bench/machine.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace gannet::bench {
namespace {

// The text after `key` on its line of a system file, or "".
std::string value_of(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.compare(0, key.size(), key) != 0) continue;
        const std::size_t begin = line.find_first_not_of(" \t:", key.size());
        return begin == std::string::npos ? "" : line.substr(begin);
    }
    return "";
}

}  // namespace

double process_seconds() {
    std::ifstream in("/proc/self/stat");
    std::string line;
    std::getline(in, line);
    // The second field, the program's name, may contain any character and ends at the last parenthesis; field 22 is the start
    // time.
    std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    const double ticks = double(sysconf(_SC_CLK_TCK));
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9 - std::strtod(field.c_str(), nullptr) / ticks;
}

int64_t peak_resident_bytes() { return std::strtoll(value_of("/proc/self/status", "VmHWM").c_str(), nullptr, 10) * 1024; }

std::string processor() { return value_of("/proc/cpuinfo", "model name"); }

int64_t cache_bytes(int level) {
    for (int index = 0; index < 8; ++index) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
        std::ifstream level_file(folder + "level"), size_file(folder + "size");
        int found = 0;
        int64_t kibibytes = 0;
        std::string type;
        std::ifstream(folder + "type") >> type;
        if (type != "Instruction" && level_file >> found && found == level && size_file >> kibibytes) return kibibytes * 1024;
    }
    constexpr int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    return std::max<int64_t>(0, sysconf(names[level - 1]));
}

}  // namespace gannet::bench
