// Limits the size of files, which acts like a full disk.
#pragma once
#include <sys/resource.h>

#include "engine/run/interrupt.h"

struct SmallDisk {
    rlimit saved{};
    explicit SmallDisk(rlim_t bytes) {
        gannet::ignore_write_signals();
        ::getrlimit(RLIMIT_FSIZE, &saved);
        const rlimit small{bytes, saved.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~SmallDisk() { ::setrlimit(RLIMIT_FSIZE, &saved); }
};
