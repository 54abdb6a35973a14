// The limits of a container, read from trees of /proc and /sys made by the test.
#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/limits.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

struct Tree {
    TemporaryFolder folder;

    explicit Tree(const std::map<std::string, std::string>& files) {
        add(files);
        add({{"proc/meminfo", "MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:   3000000 kB\n"},
             {"proc/self/statm", "1000 100 10 1 0 10 0\n"}});
    }
    void add(const std::map<std::string, std::string>& files) const {
        for (const auto& [name, content] : files) {
            std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
            folder.write(name, content);
        }
    }
    const std::string& root() const { return folder.path; }
};

const std::string none_1 = "9223372036854771712\n";

std::map<std::string, std::string> version_2(const std::string& group = "/") {
    return {{"proc/self/cgroup", "0::" + group + "\n"},
            {"proc/self/mountinfo",
             "23 1 0:21 / / rw - ext4 /dev/sda1 rw\n"
             "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"}};
}

std::map<std::string, std::string> version_1(const std::string& group, const std::string& mounted = "/") {
    return {{"proc/self/cgroup", "9:memory:" + group + "\n3:cpu,cpuacct:" + group + "\n1:name=systemd:/x\n"},
            {"proc/self/mountinfo",
             "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,name=systemd\n"
             "32 31 0:29 " +
                 mounted +
                 " /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpuacct,cpu\n"
                 "35 31 0:32 " +
                 mounted + " /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"}};
}

}  // namespace

TEST_CASE("limits: a machine without a container") {
    const Tree bare({});
    CHECK(usable_threads(bare.root(), 64) == 64);
    const int cores = usable_threads(bare.root());
    CHECK(cores >= 1);
    CHECK(memory_limit(bare.root()) == 8000000 * int64_t(1024));
    CHECK(free_memory(bare.root()) == 3000000 * int64_t(1024));

    Tree unlimited(version_2("/user.slice"));
    unlimited.add({{"sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"},
                   {"sys/fs/cgroup/user.slice/memory.max", "max\n"},
                   {"sys/fs/cgroup/user.slice/memory.high", "max\n"},
                   {"sys/fs/cgroup/user.slice/memory.current", "5000000000\n"}});
    CHECK(usable_threads(unlimited.root(), 64) == 64);
    CHECK(memory_limit(unlimited.root()) == 8000000 * int64_t(1024));
    CHECK(free_memory(unlimited.root()) == 3000000 * int64_t(1024));

    // The real machine: only plausible values are checked.
    CHECK(memory_limit() > 0);
    CHECK(free_memory() > 0);
    CHECK(free_memory() <= memory_limit());
    CHECK(usable_threads() >= 1);
    CHECK(usable_threads() <= cores);
}

TEST_CASE("limits: version 2") {
    Tree tree(version_2());
    tree.add({{"sys/fs/cgroup/cpu.max", "150000 100000\n"},
              {"sys/fs/cgroup/memory.max", "1000000000\n"},
              {"sys/fs/cgroup/memory.high", "max\n"},
              {"sys/fs/cgroup/memory.current", "700000000\n"},
              {"sys/fs/cgroup/memory.stat", "anon 400000000\nfile 300000000\ninactive_file 200000000\nactive_file 50000000\n"}});
    CHECK(usable_threads(tree.root(), 64) == 2);
    CHECK(memory_limit(tree.root()) == 1000000000);
    CHECK(free_memory(tree.root()) == 550000000);
    tree.add({{"sys/fs/cgroup/cpu.max", "20000 100000\n"}, {"sys/fs/cgroup/memory.high", "800000000\n"}});
    CHECK(usable_threads(tree.root(), 64) == 1);
    CHECK(memory_limit(tree.root()) == 800000000);
    CHECK(free_memory(tree.root()) == 350000000);
    tree.add({{"sys/fs/cgroup/memory.current", "2000000000\n"}});
    CHECK(free_memory(tree.root()) == 0);
    tree.add({{"sys/fs/cgroup/memory.max", "9000000000\n"}, {"sys/fs/cgroup/memory.high", "max\n"}});  // exceeds the machine
    CHECK(memory_limit(tree.root()) == 8000000 * int64_t(1024));
}

TEST_CASE("limits: the smallest limit of all levels applies") {
    Tree tree(version_2("/slurm/job 7/task"));
    tree.add({{"sys/fs/cgroup/slurm/cpu.max", "800000 100000\n"},
              {"sys/fs/cgroup/slurm/job 7/cpu.max", "300000 100000\n"},
              {"sys/fs/cgroup/slurm/job 7/task/cpu.max", "max 100000\n"},
              {"sys/fs/cgroup/slurm/memory.max", "3000000000\n"},
              {"sys/fs/cgroup/slurm/memory.current", "2900000000\n"},
              {"sys/fs/cgroup/slurm/job 7/memory.max", "2000000000\n"},
              {"sys/fs/cgroup/slurm/job 7/memory.current", "500000000\n"},
              {"sys/fs/cgroup/slurm/job 7/task/memory.max", "max\n"}});
    CHECK(usable_threads(tree.root(), 64) == 3);
    CHECK(memory_limit(tree.root()) == 2000000000);
    CHECK(free_memory(tree.root()) == 100000000);  // another job uses the rest
}

TEST_CASE("limits: version 1") {
    Tree tree(version_1("/lxc/a"));
    tree.add(
        {{"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
         {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
         {"sys/fs/cgroup/cpu,cpuacct/lxc/a/cpu.cfs_quota_us", "400000\n"},
         {"sys/fs/cgroup/cpu,cpuacct/lxc/a/cpu.cfs_period_us", "100000\n"},
         {"sys/fs/cgroup/memory/memory.limit_in_bytes", none_1},
         {"sys/fs/cgroup/memory/lxc/a/memory.limit_in_bytes", "1000000000\n"},
         {"sys/fs/cgroup/memory/lxc/a/memory.usage_in_bytes", "600000000\n"},
         {"sys/fs/cgroup/memory/lxc/a/memory.stat", "inactive_file 1\ntotal_inactive_file 100000000\ntotal_active_file 9\n"}});
    CHECK(usable_threads(tree.root(), 64) == 4);
    CHECK(memory_limit(tree.root()) == 1000000000);
    CHECK(free_memory(tree.root()) == 500000009);
    tree.add({{"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n"}});
    CHECK(usable_threads(tree.root(), 64) == 1);
    tree.add({{"sys/fs/cgroup/memory/lxc/a/memory.limit_in_bytes", none_1}});
    CHECK(memory_limit(tree.root()) == 8000000 * int64_t(1024));
}

TEST_CASE("limits: a container that sees only its own part of the hierarchy") {
    const std::map<std::string, std::string> limits = {{"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"},
                                                       {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
                                                       {"sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000000\n"}};
    // Docker without its own cgroup namespace: the path of the host. A namespace entered from outside: a path above its root.
    for (const auto& [group, mounted] : std::map<std::string, std::string>{
             {"/docker/1234", "/docker/1234"}, {"/docker/12345", "/docker/1234"}, {"/../other", "/"}, {"/docker/9", "/"}}) {
        Tree tree(version_1(group, mounted));
        tree.add(limits);
        CHECK_MESSAGE(usable_threads(tree.root(), 64) == 2, group);
        CHECK_MESSAGE(memory_limit(tree.root()) == 1000000000, group);
    }
    Tree inner(version_1("/docker/1234/inner", "/docker/1234"));
    inner.add(limits);
    inner.add({{"sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "70000000\n"}});
    CHECK(memory_limit(inner.root()) == 70000000);
}

TEST_CASE("limits: both versions at once, and mount points with spaces") {
    Tree tree(version_1("/a"));
    tree.add({{"proc/self/cgroup", "4:memory:/a\n0::/b\n"},
              {"proc/self/mountinfo",
               "35 31 0:32 / /sys/fs/cg\\040roup/memory rw - cgroup cgroup rw,memory\n"
               "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
               "a line that is not one - cgroup\n"},
              {"sys/fs/cg roup/memory/a/memory.limit_in_bytes", "1000000000\n"},
              {"sys/fs/cgroup/unified/b/cpu.max", "500000 100000\n"}});
    CHECK(memory_limit(tree.root()) == 1000000000);
    CHECK(usable_threads(tree.root(), 64) == 5);
}

TEST_CASE("limits: files with unexpected contents") {
    Tree tree(version_2());
    for (const char* text : {"", "\n", "x y\n", "0 0\n", "-1 100000\n", "100000\n", "100000 0\n", "99999999999999999999 1\n"}) {
        tree.add({{"sys/fs/cgroup/cpu.max", text}, {"sys/fs/cgroup/memory.high", text}});
        CHECK_MESSAGE(usable_threads(tree.root(), 64) == 64, text);
        CHECK_NOTHROW(memory_limit(tree.root()));
        CHECK_NOTHROW(free_memory(tree.root()));
    }
}
