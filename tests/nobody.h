// Runs code as a user without privileges, for tests of files without read or write permission.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

// Root ignores permissions, so this switches to the user nobody.
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
