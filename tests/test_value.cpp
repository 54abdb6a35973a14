// The cost of JSON values: memory and time proportional to the text, and limits with clear errors.
#include <doctest/doctest.h>
#include <malloc.h>

#include <chrono>
#include <string>

#include "base/json.h"
#include "engine/model/model.h"
#include "tests/temporary.h"

using namespace gannet;
using namespace gannet::config;

namespace {

// Bytes allocated on the heap.
std::size_t heap() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

std::string repeated(const std::string& text, int times) {
    std::string all;
    all.reserve(text.size() * std::size_t(times));
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

double bytes_per_value(const std::string& text, double values) {
    const std::size_t before = heap();
    const Value value = json::parse(text, "f.json");
    return double(heap() - before) / values;
}

}  // namespace

TEST_CASE("json: the memory of a value does not depend on its path") {
#ifdef __SANITIZE_ADDRESS__
    MESSAGE("not under AddressSanitizer");
#else
    CHECK(sizeof(Value) <= 64);
    const int n = 1 << 16;
    CHECK(bytes_per_value("[" + repeated("1,", n - 1) + "1]", n) < 70);
    const std::string key(40000, 'k');
    CHECK(bytes_per_value("{\"" + key + "\": [" + repeated("1,", n - 1) + "1]}", n) < 72);
    CHECK(bytes_per_value("[" + repeated("[],", n - 1) + "[]]", n) < 70);
    CHECK(bytes_per_value("[" + repeated("[1],", n - 1) + "[1]]", 2 * n) < 150);
    CHECK(bytes_per_value("[" + repeated("{\"a\":1},", n - 1) + "{\"a\":1}]", 2 * n) < 210);
    std::string object = "{";
    for (int i = 0; i < n; ++i) object += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
    CHECK(bytes_per_value(object + "}", n) < 200);
#endif
}

TEST_CASE("json: paths and places are computed on request") {
    const std::string key(40000, 'k');
    const Value root = json::parse("{\"" + key + "\": [1,\n{\"b\": [[2]]}], \"a\": {\"b\": {\"c\":\n 3}}}", "f.json");
    const Value& list = root.members()->front().second;
    CHECK(list.path() == key);
    CHECK(has((*list.list())[1].find("b")->list()->front().where(), "..., f.json:2"));
    CHECK(root.find("a")->find("b")->find("c")->where() == "a.b.c, f.json:3");
    Value copy = *root.find("a")->find("b");
    copy.data = 4;
    CHECK(copy.where() == "a.b, f.json:2");
    Value moved = *root.find("a");
    moved.rename("x[3]");
    CHECK(moved.find("b")->find("c")->where() == "x[3].b.c, f.json:3");
    moved.move_to("y", "--set y");
    CHECK(moved.find("b")->find("c")->where() == "y.b.c, --set y");
    moved.rename("z");
    CHECK(moved.find("b")->find("c")->where() == "z.b.c, --set y");
    CHECK(root.find("a")->find("b")->find("c")->where() == "a.b.c, f.json:3");
    CHECK(Value(1).where() == "");
}

TEST_CASE("json: members are found by an index, also after changes") {
    Members members;
    for (int i = 0; i < 100; ++i) members.emplace_back(std::to_string(i), i);
    const auto at = [](const Members& all, const std::string& key) {
        const std::size_t i = all.index_of(key);
        return i < all.size() ? std::get<int64_t>(all[i].second.data) : -1;
    };
    CHECK(at(members, "99") == 99);
    CHECK(at(members, "100") == -1);
    members.emplace_back("100", 100);
    CHECK(at(members, "100") == 100);
    Members copy = members;
    copy.erase(copy.begin() + 7);
    copy.emplace_back("new", 7);
    CHECK(at(copy, "7") == -1);
    CHECK(at(copy, "8") == 8);
    CHECK(at(copy, "new") == 7);
    CHECK(at(members, "7") == 7);
    CHECK(at(members, "new") == -1);
    copy = members;
    CHECK(at(copy, "7") == 7);
    const Members taken = std::move(copy);
    CHECK(at(taken, "100") == 100);
}

TEST_CASE("json: duplicate keys among many") {
    std::string text = "{";
    for (int i = 0; i < 1000; ++i) text += "\"" + std::to_string(i) + "\": 0,\n";
    CHECK(has(error_of([&] { json::parse(text + "\"41\": 1,\n\"42\": 2}", "f"); }),
              "is given twice (f:1001): remove one; the first is on line 42"));
    CHECK(error_of([&] { json::parse(text + "\"1000\": 1}", "f"); }) == "");
}

TEST_CASE("json: the size of a text is limited") {
    CHECK(has(error_of([] { json::parse(std::string(json::largest_text + 1, ' '), "f"); }),
              "the JSON text is larger than 16 MB (f)"));
    CHECK(has(error_of([] { json::parse("[1, 2, 3]", "f", 8); }), "larger than 0 MB"));
}

// When each expression copied the variables before it, 50,000 variables took 22 s. The limit is generous but below that.
TEST_CASE("models: time is proportional to the size of the file") {
    const int n = 50000;
    const auto seconds_of = [](const std::string& what, const auto& work) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        CHECK_MESSAGE(seconds < 15, what);
    };
    const std::string rest = R"("steps": 10, "optimizer": {"type": "adam", "lr": 1e-4}, "objective": {"loss": "hinge"},
        "generator": [{"layer": "linear", "units": "$v49999"}], "discriminator": [{"layer": "linear", "units": 1}]})";
    std::string variables = "{\"variables\": {\"v0\": 784";
    for (int i = 1; i < n; ++i) variables += ",\n\"v" + std::to_string(i) + "\": \"$v" + std::to_string(i - 1) + "\"";
    const TemporaryFolder folder;
    const std::string file = folder.write("m.json", variables + "}, " + rest);
    seconds_of("variables", [&] {
        CHECK(gan_of(load_model(file, {})).generator[0].keys.integer("units") == 784);
        CHECK(has(error_of([&] { load_model(file, {"generator.0.units=$none"}); }), "unknown variable '$none'"));
        CHECK(error_of([&] { load_model(file, {"generator.0.units=$none"}); }).size() < 5000);
    });
    seconds_of("base", [&] {
        folder.write("over.json", variables + R"(}, "base": "m.json"})");
        CHECK(gan_of(load_model(folder / "over.json", {})).generator[0].keys.integer("units") == 784);
        std::string nulls = R"({"base": "m.json", "generator": [{"layer": "linear", "units": 784}], "variables": {"v0": null)";
        for (int i = 1; i < n; ++i) nulls += ", \"v" + std::to_string(i) + "\": null";
        CHECK_NOTHROW(load_model(folder.write("none.json", nulls + "}}"), {}));
    });
    seconds_of("set", [&] {
        std::string set = R"({"base": "m.json", "set": {"variables.v0": 7)";
        for (int i = 1; i < 1000; ++i) set += ", \"variables.v" + std::to_string(i) + "\": 7";
        CHECK(gan_of(load_model(folder.write("set.json", set + "}}"), {})).generator[0].keys.integer("units") == 7);
        CHECK(has(error_of([&] { load_model(folder.write("set.json", set + ", \"variables.v1000\": 7}}"), {}); }),
                  "'set' has 1001 entries, more than 1000 (set, "));
    });
    seconds_of("lists of numbers in a repeat", [&] {
        const std::string shape = "{\"layer\": \"repeat\", \"times\": 10000, \"layers\": [{\"layer\": \"reshape\", \"shape\": [" +
                                  repeated("1,", 100000) + "1]}]}";
        const std::string text = R"({"steps": 10, "optimizer": {"type": "adam", "lr": 1e-4}, "objective": {"loss": "hinge"},
            "discriminator": [{"layer": "linear", "units": 1}], "generator": [)" +
                                 shape + "]}";
        CHECK(has(error_of([&] { parse_model(text, "m.json", {}); }),
                  "'shape' has 100001 entries, more than 1000 (generator[0].layers[0].shape"));
    });
}
