#include "data/npy.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/extents.h"
#include "base/text.h"
#include "data/stream.h"

namespace gannet {
namespace {

constexpr int64_t longest_header = 1 << 20;  // that of an array of bytes has about 100
const char* const copy_again = "copy the file again, or write it with numpy.save";

struct Header {
    std::string descr;  // '|u1'; of records a list
    bool fortran_order = false;
    std::vector<int64_t> shape;
};

// The dict {'descr': TEXT, 'fortran_order': BOOL, 'shape': TUPLE}, in any order, each key once.
class HeaderParser {
public:
    explicit HeaderParser(std::string text) : text_(std::move(text)) {}

    // Nothing where the text is something else.
    std::optional<Header> parse() {
        bool descr = false, order = false, shape = false;
        good_ = take('{');
        while (good_ && !take('}')) {
            const std::string key = text();
            good_ = good_ && take(':');
            if (key == "descr" && !descr) descr = true, header_.descr = type();
            else if (key == "fortran_order" && !order) order = true, header_.fortran_order = boolean();
            else if (key == "shape" && !shape) shape = true, header_.shape = tuple();
            else good_ = false;
            const bool more = take(',');
            good_ = good_ && (more || next() == '}');
        }
        if (!good_ || !descr || !order || !shape || next() != 0) return std::nullopt;
        return header_;
    }

private:
    char next() {  // 0: the end
        at_ = text_.find_first_not_of(" \n", at_);
        if (at_ == std::string::npos) at_ = text_.size();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        const bool there = next() == c;
        at_ += there ? 1 : 0;
        return there;
    }
    bool word(const std::string& w) {
        next();
        if (text_.compare(at_, w.size(), w) != 0) return false;
        at_ += w.size();
        return true;
    }
    std::string text() {
        const char quote = next();
        const std::size_t begin = at_ + 1, end = quote == '\'' || quote == '"' ? text_.find(quote, begin) : std::string::npos;
        good_ = good_ && end != std::string::npos;
        if (!good_) return "";
        at_ = end + 1;
        return text_.substr(begin, end - begin);
    }
    std::string type() {
        if (next() != '[') return text();
        const std::size_t end = text_.rfind(']');  // no other key's value has one
        good_ = good_ && end != std::string::npos && end > at_;
        if (!good_) return "";
        const std::string list = text_.substr(at_, end + 1 - at_);
        at_ = end + 1;
        return list;
    }
    bool boolean() {
        const bool yes = word("True");
        good_ = good_ && (yes || word("False"));
        return yes;
    }
    std::vector<int64_t> tuple() {
        std::vector<int64_t> numbers;
        good_ = good_ && take('(');
        while (good_ && !take(')')) {
            int64_t number = -1;
            next();
            const auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
            good_ = error == std::errc() && number >= 0;
            at_ = std::size_t(stop - text_.data());
            numbers.push_back(number);
            const bool more = take(',');
            good_ = good_ && (more || next() == ')');
        }
        return numbers;
    }

    std::string text_;
    std::size_t at_ = 0;
    bool good_ = true;
    Header header_;
};

std::string text_of(const std::vector<int64_t>& shape) {
    std::string text;
    for (const int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

void get(ByteStream& in, uint8_t* bytes, std::size_t count, const std::string& file) {
    if (in.read(bytes, count) < count) throw Error("the file ends inside its header", file, copy_again);
}

Header read_header(ByteStream& in, const std::string& file) {
    uint8_t start[8], length[4] = {};
    const std::size_t got = in.read(start, 8);
    if (got == 0) throw Error("the file is empty", file, copy_again);
    if (std::memcmp(start, "\x93NUMPY", std::min<std::size_t>(got, 6)) != 0)
        throw Error("not an .npy file", file, "give one that numpy.save wrote");
    if (got < 8) throw Error("the file ends inside its header", file, copy_again);
    const int version = start[6];
    if (version < 1 || version > 3)
        throw Error("an .npy file of the unknown format version " + std::to_string(version), file, "write it with numpy.save");
    get(in, length, version == 1 ? 2 : 4, file);
    const int64_t bytes = int64_t(length[0]) | int64_t(length[1]) << 8 | int64_t(length[2]) << 16 | int64_t(length[3]) << 24;
    if (bytes > longest_header) throw Error("the file says that its header has " + grouped(bytes) + " bytes", file, copy_again);
    std::string text(std::size_t(bytes), '\0');
    get(in, reinterpret_cast<uint8_t*>(text.data()), text.size(), file);
    const std::optional<Header> header = HeaderParser(text).parse();
    if (!header) throw Error("its header cannot be read: " + printable(text), file, copy_again);
    return *header;
}

void check_type(const Header& header, const std::string& file) {
    const std::string& type = header.descr;
    const bool floats = type.size() > 1 && type[0] != '[' && type[1] == 'f';
    if (type != "|u1")
        throw Error(
            std::string("its values are ") + (floats ? "floats" : "not bytes") + ", '" + printable(type) + "' instead of '|u1'",
            file,
            floats          ? "save bytes, of values from 0 to 1 as numpy.uint8(255 * values + 0.5)"
            : type == "|b1" ? "save bytes, as numpy.uint8(255 * values)"
                            : "save levels from 0 to 255 as values.astype(numpy.uint8)");
    if (header.fortran_order) throw Error("its values are in Fortran order", file, "save numpy.ascontiguousarray(values)");
}

}  // namespace

Npy read_npy(const std::string& file, const FreeMemory& free) {
    ByteStream in(file);
    const Header header = read_header(in, file);
    check_type(header, file);
    Npy npy{header.shape, {}};
    const std::string says = "the header says " + text_of(header.shape) + " bytes";
    int64_t count = 1;
    if (!multiply(count, header.shape)) throw Error(says + ", more than any file has", file, copy_again);
    if (count > in.longest())  // before anything is allocated
        throw Error(says + ", the file is shorter: it is truncated", file, copy_again);
    check_free(count, file, free);
    npy.values.resize(std::size_t(count));
    const std::size_t got = in.read(npy.values.data(), npy.values.size());
    if (got < npy.values.size())
        throw Error(says + ", the file has " + std::to_string(got) + ": it is truncated", file, copy_again);
    uint8_t more;
    if (in.read(&more, 1) != 0) throw Error(says + ", but the file has more bytes", file, copy_again);
    return npy;
}

}  // namespace gannet
