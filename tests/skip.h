// Tests that this machine cannot run are counted; tests/main.cpp prints how many there were.
#pragma once
#include <doctest/doctest.h>

#include <string>

inline int skipped_tests = 0;

inline void skipped(const char* why) {
    ++skipped_tests;
    MESSAGE("skipped: ", std::string(why));
}
