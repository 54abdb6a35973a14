// Runs every test from the repository's root; the last line counts test cases: `N passed, N failed, N skipped`.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "tests/skip.h"

namespace {

// Keeps doctest's summary for the last line.
struct Count : doctest::IReporter {
    static inline doctest::TestRunStats stats{};
    explicit Count(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& all) override { stats = all; }
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("count", 1, Count);

}  // namespace

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    const int status = context.run();
    if (context.shouldExit()) return status;  // --help, --list-test-cases
    const int failed = int(Count::stats.numTestCasesFailed), ran = int(Count::stats.numTestCasesPassingFilters);
    std::printf("%d passed, %d failed, %d skipped\n", ran - failed - skipped_tests, failed, skipped_tests);
    return status;
}
