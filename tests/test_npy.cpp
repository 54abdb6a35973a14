// .npy files: files of numpy.save and damaged files.
#include <doctest/doctest.h>

#include <string>

#include "data/npy.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

// A file in NumPy's format, with the same padding of the header.
std::string npy_file(const std::string& dict, const std::string& values, int version = 1) {
    std::string header = dict;
    const std::size_t before = version == 1 ? 10 : 12;
    while ((before + header.size() + 1) % 64 != 0) header += ' ';
    header += '\n';
    std::string file = "\x93NUMPY";
    file += {char(version), 0};
    for (std::size_t i = 0; i < before - 8; ++i) file += char(header.size() >> (8 * i));
    return file + header + values;
}

std::string dict_of(const std::string& shape, const std::string& descr = "'|u1'", const std::string& fortran = "False") {
    return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

}  // namespace

TEST_CASE("npy: arrays of bytes, in every format version") {
    const TemporaryFolder folder;
    for (int version : {1, 2, 3}) {
        const Npy npy = read_npy(folder.write("a.npy", npy_file(dict_of("(2, 1, 3)"), "abcdef", version)));
        CHECK(npy.shape == std::vector<int64_t>{2, 1, 3});
        CHECK(npy.values == std::vector<uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
    }
    CHECK(read_npy(folder.write("a.npy", npy_file(dict_of("()"), "a"))).shape.empty());
    CHECK(read_npy(folder.write("a.npy", npy_file(dict_of("(3,)"), "abc"))).shape == std::vector<int64_t>{3});
    CHECK(read_npy(folder.write("a.npy", npy_file(dict_of("(0, 28)"), ""))).values.empty());
    const std::string other = R"({"shape":(2,2),"fortran_order":False,"descr":"|u1"})";
    CHECK(read_npy(folder.write("a.npy", npy_file(other, "abcd"))).shape == std::vector<int64_t>{2, 2});
    // Written by NumPy 1.24: numpy.save(file, numpy.array([[7, 255]], numpy.uint8))
    const std::string own = std::string("\x93NUMPY\x01\x00v\x00", 10) +
                            "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }" + std::string(58, ' ') + "\n\x07\xff";
    const Npy npy = read_npy(folder.write("a.npy", own));
    CHECK(npy.shape == std::vector<int64_t>{1, 2});
    CHECK(npy.values == std::vector<uint8_t>{7, 255});
}

TEST_CASE("npy: an error about another type or order says what to save instead") {
    const TemporaryFolder folder;
    const auto refused = [&](const std::string& dict) {
        return error_of([&] { read_npy(folder.write("a.npy", npy_file(dict, std::string(96, 'x')))); });
    };
    for (const char* type : {"'<f4'", "'<f8'", "'>f4'", "'<f2'"}) {
        CHECK(has(refused(dict_of("(2, 2, 3)", type)), std::string("its values are floats, ") + type + " instead of '|u1' ("));
        CHECK(has(refused(dict_of("(2, 2, 3)", type)), "save bytes, of values from 0 to 1 as numpy.uint8(255 * values + 0.5)"));
    }
    for (const char* type : {"'<i8'", "'|b1'", "'|i1'", "'<u2'", "'|S5'", "'u1'", "''"})
        CHECK(has(refused(dict_of("(2, 2, 3)", type)), std::string("its values are not bytes, ") + type + " instead of '|u1' ("));
    CHECK(has(refused(dict_of("(12,)", "[('r', '|u1'), ('g', '<f4', (2, 3))]")), "its values are not bytes, '[('r', '|u1')"));
    const std::string fortran = refused(dict_of("(2, 3, 16)", "'|u1'", "True"));
    CHECK(has(fortran, "its values are in Fortran order ("));
    CHECK(has(fortran, "a.npy): save numpy.ascontiguousarray(values)"));
}

TEST_CASE("npy: damaged files") {
    const TemporaryFolder folder;
    const auto refused = [&](const std::string& content) { return error_of([&] { read_npy(folder.write("a.npy", content)); }); };
    const std::string good = npy_file(dict_of("(2, 3)"), "abcdef");
    CHECK(has(refused(""), "the file is empty"));
    CHECK(has(refused("PNG, not numpy"), "not an .npy file"));
    for (std::size_t length : {1, 5, 6, 7, 8, 9, 10, 60, 127})
        CHECK(has(refused(good.substr(0, length)), "the file ends inside its header ("));
    CHECK(has(refused(good.substr(0, 131)), "the header says (2, 3) bytes, the file has 3: it is truncated"));
    CHECK(has(refused(good + "g"), "the header says (2, 3) bytes, but the file has more bytes"));
    CHECK(has(refused(npy_file(dict_of("(2, 3)"), "abcdef", 4)), "unknown format version 4"));
    CHECK(has(refused(npy_file(dict_of("(2, 3)"), "abcdef", 0)), "unknown format version 0"));
    CHECK(has(refused(std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12)), "its header has 2,147,483,647 bytes"));
    // The product of the extents wraps around to 0 and to 2; the third is large but fits.
    CHECK(has(refused(npy_file(dict_of("(4294967296, 4294967296)"), "abcdef")), "more than any file has"));
    CHECK(has(refused(npy_file(dict_of("(6148914691236517206, 3)"), "ab")), "more than any file has"));
    CHECK(has(refused(npy_file(dict_of("(1000000, 1000000, 1000)"), "abcdef")), "the file is shorter: it is truncated"));
    for (const char* dict :
         {"", "{}", "{", "[1]", "{'descr': '|u1', 'shape': (2, 3)}", "{'descr': '|u1', 'fortran_order': False}",
          "{'descr': '|u1', 'fortran_order': No, 'shape': (2, 3)}", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (2, -3)}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (2 3)}", "{'descr': '|u1', 'fortran_order': False, 'shape': [2, 3]}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)} 1",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 3)}", "{'descr': '|u1",
          "{'descr': [, 'fortran_order': False, 'shape': (2, 3)}", "{'descr' '|u1', 'fortran_order': False, 'shape': (2, 3)}",
          "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}",
          "{'descr': '|u1' 'fortran_order': False, 'shape': (2, 3)}",
          "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), 'more': 1}"})
        CHECK_MESSAGE(has(refused(npy_file(dict, "abcdef")), "its header cannot be read: "), dict);
    CHECK(has(error_of([&] { read_npy(folder / "absent.npy"); }), "absent.npy"));
}
