// Values and error messages of the command line, and the exit status of programs.
#include <doctest/doctest.h>

#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "engine/run/cli.h"
#include "engine/run/interrupt.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

int status_of(const std::vector<const char*>& words, const std::function<void(CommandLine&)>& declare, std::string& error) {
    std::vector<char*> argv{const_cast<char*>("program")};
    for (const char* word : words) argv.push_back(const_cast<char*>(word));
    int status = -1;
    error = error_of([&] {
        CommandLine line("program", "A test.");
        declare(line);
        status = line.parse(int(argv.size()), argv.data()) ? 1 : 0;
    });
    return status;
}

}  // namespace

TEST_CASE("command line: values and errors") {
    std::string model, error, device = "auto";
    int64_t steps = 10;
    uint64_t seed = 0;
    double rate = 0;
    bool dry = false;
    std::vector<std::string> settings;
    std::optional<int64_t> count;
    const auto declare = [&](CommandLine& line) {
        line.positional("MODEL.json", model, "the model file");
        line.option("--steps", steps, "N", "steps");
        line.option("--seed", seed, "S", "seed");
        line.option("--rate", rate, "X", "rate");
        line.option("--set", settings, "KEY=VALUE", "a key");
        line.option("-n,--count", count, "N", "count");
        line.choice("--device", device, {"auto", "cpu"}, "where");
        line.flag("--dry-run", dry, "nothing");
    };
    const auto complaint = [&](const std::vector<const char*>& words) {
        status_of(words, declare, error);
        return error;
    };
    CHECK(status_of({"--set", "a=1", "m.json", "--set=b=-2", "--rate", "1e-4", "-n", "-3", "--device=cpu", "--dry-run"}, declare,
                    error) == 1);
    CHECK(error == "");
    CHECK(model == "m.json");
    CHECK(steps == 10);
    CHECK(settings == std::vector<std::string>{"a=1", "b=-2"});
    CHECK(rate == 1e-4);
    CHECK(count == -3);
    CHECK(device == "cpu");
    CHECK(dry);
    CHECK(has(complaint({"m.json", "--stpes", "3"}), "unknown option --stpes (command line): did you mean --steps?"));
    CHECK(has(complaint({"--seeds=3"}), "did you mean --seed?"));
    CHECK(has(complaint({}), "MODEL.json is missing"));
    CHECK(has(complaint({"a", "b"}), "unexpected argument \"b\""));
    CHECK(has(complaint({"a", "--steps"}), "--steps needs a value"));
    CHECK(has(complaint({"a", "--steps", "--seed", "3"}), "--steps needs a value"));
    CHECK(has(complaint({"a", "--steps", "3x"}), "--steps \"3x\" cannot be used"));
    CHECK(has(complaint({"a", "--steps", "99999999999999999999"}), "out of range"));
    CHECK(has(complaint({"a", "--seed", "-1"}), "0 or more"));
    CHECK(has(complaint({"a", "--seed", "1", "--seed", "2"}), "given twice"));
    CHECK(has(complaint({"a", "--device", "tpu"}), "one of auto, cpu"));
    CHECK(has(complaint({"a", "--dry-run=no"}), "takes no value"));
}

TEST_CASE("printable: escapes what controls a terminal and keeps text") {
    CHECK(printable("plain, \u00e9 \u732b \U0001f600") == "plain, \u00e9 \u732b \U0001f600");
    CHECK(printable("a\nb\t\x1b[31m\x7f") == "a\\nb\\x09\\x1b[31m\\x7f");
    CHECK(printable("\u009b31m\u0080\u009f\u00a0") == "\\xc2\\x9b31m\\xc2\\x80\\xc2\\x9f\u00a0");
    CHECK(printable("\x9b"
                    "31m caf\xe9") == "\\x9b31m caf\\xe9");  // not UTF-8
    for (const char* none : {"\xc3", "\xc0\xaf", "\xe0\x82\x9b", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
        for (const char c : printable(none)) CHECK((c >= 0x20 && c < 0x7f));
    CHECK(printable(std::string(300, 'x')) == std::string(200, 'x') + "...");
    CHECK(printable(std::string(300, 'x'), std::string::npos) == std::string(300, 'x'));
    CHECK(printable(std::string(199, 'x') + "\u00e9") == std::string(199, 'x') + "\u00e9");  // does not split a character
    const std::string json = json::dump(json::Members{{"path", "\u009b\x7f\x1b \u00e9"}}, -1);
    CHECK(json == "{\"path\": \"\\u009b\\u007f\\u001b \u00e9\"}");
    CHECK(json::dump(json::parse(json, "here"), -1) == json);
}

TEST_CASE("run_program: exit status") {
    char name[] = "program";
    char* argv[] = {name, nullptr};
    CHECK(run_program(1, argv, [](int, char**) { return 0; }) == 0);
    CHECK(run_program(1, argv, [](int, char**) -> int { throw Interrupted(); }) == 130);
    std::fputs("(the next line is the test's own) ", stderr);
    CHECK(run_program(1, argv, [](int, char**) -> int { throw Error("what", "where", "what to do"); }) == 1);
}
