// Parts of a model file: JSON values and their places, expressions, nearest words.
#include <doctest/doctest.h>

#include <limits>

#include "engine/config/spec.h"
#include "tests/temporary.h"

using namespace gannet;
using namespace gannet::config;

TEST_CASE("json: values know their line and path") {
    const Value root =
        json::parse("{ // a comment\n  \"a\": [1,\n 2.5, {\"b\": null}], /* and\n one more */ \"c\":\n\n7\n}", "f.json");
    CHECK(root.place() == "f.json:1");
    CHECK(root.where() == "f.json:1");
    const List& a = *root.find("a")->list();
    CHECK(a[0].where() == "a[0], f.json:2");
    CHECK(a[1].where() == "a[1], f.json:3");
    CHECK(a[2].find("b")->where() == "a[2].b, f.json:3");
    CHECK(root.find("c")->where() == "c, f.json:6");  // a number at the end of a line
    CHECK(root.find("d") == nullptr);
    CHECK(a[0].type_name() == "a number");
    CHECK(a[2].type_name() == "an object");
}

TEST_CASE("json: written values read back the same") {
    for (const double d : {0.0, -0.0, 1.0, 0.1, 1e-4, 2e-4, 1e22, 1e300, 5e-324, -1.5e-8, 123456789.125}) {
        const Value back = json::parse(json::dump(d), "x");
        REQUIRE(std::holds_alternative<double>(back.data));
        CHECK(std::get<double>(back.data) == d);
    }
    CHECK(json::dump(1e-4) == "1e-4");
    CHECK(json::dump(10.0) == "10.0");
    CHECK(json::dump(std::numeric_limits<double>::infinity()) == "null");
    CHECK(json::dump(std::numeric_limits<double>::quiet_NaN()) == "null");
    CHECK(json::dump(std::numeric_limits<int64_t>::max()) == "9223372036854775807");
    const std::string text = "{\"a\": [1, \"x\\n\\\"\\u00e9\", true, null], \"b\": {}, \"c\": []}";
    CHECK(json::dump(json::parse(json::dump(json::parse(text, "x")), "x"), -1) ==
          "{\"a\": [1, \"x\\n\\\"\xc3\xa9\", true, null], \"b\": {}, \"c\": []}");
    CHECK_NOTHROW(json::parse(json::dump(Value("\xff not UTF-8")), "x"));
}

// Equals Python's json.dumps(os.fsdecode(b"...")).
TEST_CASE("json: a byte that is not UTF-8 is written as surrogateescape and read back") {
    const auto back = [](const std::string& text) { return *json::parse(json::dump(Value(text)), "x").text(); };
    CHECK(json::dump(Value("caf\xe9/\xc3\xa9")) == "\"caf\\udce9/\xc3\xa9\"");
    CHECK(json::dump(Value("\xe2\x82")) == "\"\\udce2\\udc82\"");
    std::string all;
    for (int byte = 1; byte < 256; ++byte) {
        all += char(byte);
        CHECK(back(std::string(1, char(byte))) == std::string(1, char(byte)));
    }
    CHECK(back(all) == all);
    CHECK(back(std::string(all.rbegin(), all.rend())) == std::string(all.rbegin(), all.rend()));
    // overlong, a surrogate, above U+10FFFF, truncated
    for (const char* text : {"\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf0\x9f\x98",
                             "\xc3(", "\xf4\x8f\xbf\xbe"})
        CHECK(back(text) == text);
    const Value key = json::parse(json::dump(Members{{"\xe9", 1}}), "x");
    CHECK(key.find("\xe9") != nullptr);
    CHECK(*json::parse("\"\\uDCE9\"", "x").text() == "\xe9");
    CHECK(*json::parse("\"\\\\udce9\"", "x").text() == "\\udce9");                           // an escaped backslash, then letters
    CHECK(*json::parse("\"\\ud83d\\udc80\"", "x").text() == "\xf0\x9f\x92\x80");             // a surrogate pair
    CHECK(*json::parse("\"\\ud83d\\udc80\\udc80\"", "x").text() == "\xf0\x9f\x92\x80\x80");  // a surrogate pair and a byte
    for (const char* text : {"\"\\udc7f\"", "\"\\udd00\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\xe9\""})
        CHECK(has(error_of([&] { json::parse(text, "x"); }), "malformed JSON (x:1, column "));
    for (const char* text : {"\"\xf4\x8f\xbf\xbe\"", "\"\\udbff\\udffe\""})
        CHECK(has(error_of([&] { json::parse(text, "x"); }), "U+10FFFE"));
    CHECK(has(error_of([&] { json::parse("[\"\\udce9\", nil]", "x"); }), "x:1, column 13"));
}

TEST_CASE("expressions") {
    const Variables v = {{"n", 6}, {"big", std::numeric_limits<int64_t>::max()}, {"small", std::numeric_limits<int64_t>::min()}};
    const auto value = [&](const std::string& text) { return evaluate(text, v, "here"); };
    CHECK(value("1 + 2 * 3") == 7);
    CHECK(value("(1 + 2) * 3") == 9);
    CHECK(value("2 ^ 3 ^ 2") == 512);
    CHECK(value("-2 ^ 2") == -4);
    CHECK(value("2 * -3") == -6);
    CHECK(value("10 - 2 - 3") == 5);
    CHECK(value("24 / 2 / 3") == 4);
    CHECK(value(" $n*$n ") == 36);
    CHECK(value("$n ^ 0") == 1);
    CHECK(value("1 ^ 9223372036854775807") == 1);
    const auto error = [&](const std::string& text) { return error_of([&] { value(text); }); };
    for (const char* text : {"$big + 1", "$small - 1", "$big * 2", "-$small", "$small / -1", "10 ^ 19", "99999999999999999999",
                             "$small * -1", "2 ^ 63"})
        CHECK_MESSAGE(has(error(text), "overflows (here)"), text);
    for (const char* text : {"", "1 +", "(1", "1 2", "*", "$", "1)", "$n.5", "1..2", "n", "2 ^"})
        CHECK_MESSAGE(!error(text).empty(), text);
    CHECK(has(error("7 / 2"), "is not an integer: 7 / 2"));
    CHECK(has(error("7 / ($n - 6)"), "divides by zero"));
    CHECK(has(error("2 ^ -1"), "negative exponent -1"));
    CHECK(has(error("$bigg"), "unknown variable '$bigg' (here): did you mean 'big'?"));
    CHECK(has(error(std::string(500, '(')), "nested too deeply"));
    CHECK(has(error(std::string(900, '-') + "1"), "nested too deeply"));
    CHECK(has(error(std::string(2000, '1')), "is too long"));
    CHECK_FALSE(error(std::string("1\0", 2)).empty());
}

TEST_CASE("the nearest word") {
    const std::vector<std::string> words = {"channels", "kernel", "batch_norm", "lr", "generator"};
    CHECK(nearest("chanels", words) == "channels");
    CHECK(nearest("kernle", words) == "kernel");
    CHECK(nearest("BatchNorm2d", words) == "batch_norm");
    CHECK(nearest("gen", words) == "generator");
    CHECK(nearest("xyz", words) == "");
    CHECK(nearest("", words) == "");
    CHECK(nearest(std::string(100000, 'x'), words) == "");
}
