// A user without rights, for tests of files that may not be read or written.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

// Root may do what others may not.
class AsNobody {
public:
    AsNobody() : root_(::geteuid() == 0) {
        if (root_) works_ = ::seteuid(65534) == 0;
    }
    ~AsNobody() {
        if (root_ && works_) REQUIRE(::seteuid(0) == 0);
    }
    bool works() const { return works_; }

private:
    bool root_, works_ = true;
};
