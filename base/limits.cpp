#include "base/limits.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace gannet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t unlimited = std::numeric_limits<int64_t>::max();
constexpr int64_t version_1_unlimited = int64_t(1) << 60;  // it writes "none" as the largest number of whole pages

// The first number of a file; "max" is unlimited.
std::optional<int64_t> number_in(const std::string& file) {
    std::ifstream in(file);
    std::string word;
    if (!(in >> word)) return {};
    if (word == "max") return unlimited;
    std::istringstream digits(word);
    int64_t n = 0;
    if (!(digits >> n)) return {};
    return n;
}

// The number after `key` in a file of lines "key 123"; 0 if there is none.
int64_t number_of(const std::string& file, const std::string& key) {
    std::ifstream in(file);
    std::string word, line;
    for (int64_t n = 0; in >> word; std::getline(in, line))
        if (word == key) return in >> n ? n : 0;
    return 0;
}

// mountinfo writes a space as \040.
std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int code = 0;
        for (std::size_t k = 1; k <= 3 && text[i] == '\\' && i + 3 < text.size(); ++k) code = code * 8 + (text[i + k] - '0');
        out += code > 0 && code < 256 ? char(code) : text[i];
        if (code > 0 && code < 256) i += 3;
    }
    return out;
}

bool lists(const std::string& words, const std::string& word) {
    return ("," + words + ",").find("," + word + ",") != std::string::npos;
}

struct Hierarchy {
    bool version_2 = false;
    std::vector<std::string> levels;  // folders: this process's own group first, then those it is in
};

// The folders from a group up to the mount point of its hierarchy. A container may see only a part of the hierarchy, so the path
// of its group and the mount point may not agree; then the mounted folder is the container's group.
std::vector<std::string> levels_of(const std::string& group, const std::string& mounted, const std::string& mount_point) {
    fs::path inside;
    if (mounted == "/") inside = group;
    else if (group == mounted || group.rfind(mounted + "/", 0) == 0) inside = group.substr(mounted.size());
    if (std::find(inside.begin(), inside.end(), "..") != inside.end()) inside.clear();
    std::vector<std::string> levels;
    for (inside = inside.relative_path(); !inside.empty(); inside = inside.parent_path())
        levels.push_back(mount_point + "/" + inside.string());
    levels.push_back(mount_point);
    return levels;
}

// The hierarchies that may limit `controller`: those of version 1 with it, and that of version 2.
std::vector<Hierarchy> hierarchies(const std::string& controller, const std::string& root) {
    std::ifstream groups(root + "/proc/self/cgroup");
    std::string line, group_1, group_2;
    while (std::getline(groups, line)) {  // "4:cpu,cpuacct:/docker/1234", of version 2 "0::/docker/1234"
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (controllers.empty()) group_2 = line.substr(second + 1);
        else if (lists(controllers, controller)) group_1 = line.substr(second + 1);
    }
    std::vector<Hierarchy> found;
    std::ifstream mounts(root + "/proc/self/mountinfo");
    while (std::getline(mounts, line)) {  // "35 31 0:32 MOUNTED MOUNT_POINT OPTIONS [MORE]... - TYPE SOURCE OPTIONS"
        const std::size_t dash = line.find(" - cgroup");
        if (dash == std::string::npos) continue;
        std::string skip, mounted, mount_point, type, options;
        std::istringstream before(line), after(line.substr(dash + 3));
        before >> skip >> skip >> skip >> mounted >> mount_point;
        after >> type >> skip >> options;
        const bool version_2 = type == "cgroup2";
        const std::string& group = version_2 ? group_2 : group_1;
        if (group.empty() || (!version_2 && !lists(options, controller))) continue;
        found.push_back({version_2, levels_of(group, unescaped(mounted), root + unescaped(mount_point))});
    }
    return found;
}

// The smallest limit over all levels of all hierarchies.
int64_t least(const std::string& controller, const std::string& root,
              const std::function<int64_t(const std::string& level, bool version_2)>& allows) {
    int64_t all = unlimited;
    for (const Hierarchy& hierarchy : hierarchies(controller, root))
        for (const std::string& level : hierarchy.levels) all = std::min(all, allows(level, hierarchy.version_2));
    return all;
}

// In threads, at least 1.
int64_t quota_of(const std::string& level, bool version_2) {
    int64_t quota = -1, period = 0;
    if (version_2) {
        std::ifstream in(level + "/cpu.max");  // "150000 100000" microseconds, or "max 100000"
        if (!(in >> quota >> period)) return unlimited;
    } else {
        quota = number_in(level + "/cpu.cfs_quota_us").value_or(-1);
        period = number_in(level + "/cpu.cfs_period_us").value_or(0);
    }
    return quota > 0 && period > 0 ? (quota - 1) / period + 1 : unlimited;
}

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    return std::max(1, int(std::thread::hardware_concurrency()));
}

int64_t group_limit(const std::string& level, bool version_2) {
    if (!version_2) {
        const int64_t bytes = number_in(level + "/memory.limit_in_bytes").value_or(unlimited);
        return bytes < version_1_unlimited ? bytes : unlimited;
    }
    // Above memory.high a group is throttled until it hardly runs.
    return std::min(number_in(level + "/memory.max").value_or(unlimited), number_in(level + "/memory.high").value_or(unlimited));
}

int64_t group_free(const std::string& level, bool version_2) {
    const int64_t limit = group_limit(level, version_2);
    if (limit == unlimited) return unlimited;
    const int64_t used = number_in(level + (version_2 ? "/memory.current" : "/memory.usage_in_bytes")).value_or(0);
    int64_t reclaimable = 0;
    for (const char* kind : {"inactive_file", "active_file"})
        reclaimable += number_of(level + "/memory.stat", (version_2 ? "" : "total_") + std::string(kind));
    return std::clamp<int64_t>(limit - std::max<int64_t>(used - reclaimable, 0), 0, limit);
}

int64_t machine_memory(const std::string& root, const char* key) {
    const int64_t kibibytes = number_of(root + "/proc/meminfo", key);
    return kibibytes > 0 ? kibibytes * 1024 : unlimited;
}

// The memory that `ulimit -v` leaves.
int64_t address_space(const std::string& root, bool left) {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > rlim_t(unlimited))
        return unlimited;
    const int64_t pages = left ? number_in(root + "/proc/self/statm").value_or(0) : 0;
    return std::max<int64_t>(int64_t(limit.rlim_cur) - pages * int64_t(::sysconf(_SC_PAGESIZE)), 0);
}

}  // namespace

int usable_threads(const std::string& root, int cores) {
    return int(std::min<int64_t>(cores ? cores : usable_cores(), least("cpu", root, quota_of)));
}

int64_t memory_limit(const std::string& root) {
    return std::min({machine_memory(root, "MemTotal:"), least("memory", root, group_limit), address_space(root, false)});
}

int64_t free_memory(const std::string& root) {
    const int64_t free = machine_memory(root, "MemAvailable:");
    return std::min({free == unlimited ? machine_memory(root, "MemTotal:") : free, least("memory", root, group_free),
                     address_space(root, true)});
}

std::string lack_of_memory(double bytes, int64_t free) {
    constexpr double spare = 4e6, of_it = 1.0 / 64;  // page tables, stacks, what malloc adds
    const double besides = bytes * of_it + spare;
    if (bytes + besides <= double(free)) return "";
    const auto megabytes = [](double n) { return int64_t(std::ceil(std::min(n / 1e6, 9e18))); };
    std::string text = std::to_string(megabytes(bytes)) + " MB";
    if (megabytes(bytes) <= free / 1000000) text += " and " + std::to_string(megabytes(besides)) + " MB to spare";
    return text + ", more than the " + std::to_string(free / 1000000) + " MB of memory that are free";
}

void check_free(int64_t bytes, const std::string& file, const FreeMemory& free) {
    const std::string lack = lack_of_memory(double(bytes), free());
    if (!lack.empty()) throw LackOfMemory("its content takes " + lack, file, "give the program more memory, or a smaller file");
}

}  // namespace gannet
