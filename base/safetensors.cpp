#include "base/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/extents.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace gannet {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t longest_of_format = 100'000'000;
constexpr std::size_t piece = std::size_t(1) << 20;  // bytes of a file that are read at once
constexpr uint64_t longest_header = 32'000'000;      // bytes: some 200,000 arrays
const char* const metadata_key = "__metadata__";

// The bytes of an array; -1 on overflow.
int64_t bytes_of(const std::string& dtype, const std::vector<int64_t>& shape) {
    int64_t bytes = dtype_bytes(dtype);
    return multiply(bytes, shape) ? bytes : -1;
}

struct Entry {
    Array array;
    int64_t begin = 0, end = 0;
};

[[noreturn]] void damaged(const std::string& why, const std::string& path) {
    throw Error("damaged safetensors file: " + why, path, "copy or make the file again");
}

class OpenFile {
public:
    explicit OpenFile(const std::string& path) : path_(path), file_(nullptr, std::fclose) {
        check_is_file(path);  // opening a pipe may wait for ever
        file_.reset(std::fopen(path.c_str(), "rb"));
        if (!file_) throw_file_error("open", path, errno);
        struct stat info {};
        if (::fstat(::fileno(file_.get()), &info) != 0) throw_file_error("open", path, errno);
        if (!S_ISREG(info.st_mode)) throw Error("not a file", path, "name a .safetensors file");
        size_ = info.st_size;
    }
    int64_t size() const { return size_; }
    void get(int64_t at, void* bytes, std::size_t count) const {
        for (char* to = static_cast<char*>(bytes); count > 0;) {
            const ssize_t here = ::pread(::fileno(file_.get()), to, count, at);
            if (here < 0 && errno == EINTR) continue;
            if (here < 0) throw_file_error("read", path_, errno);
            if (here == 0) damaged("it became shorter while it was read", path_);
            to += here, at += here, count -= std::size_t(here);
        }
    }

private:
    std::string path_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
    int64_t size_ = 0;
};

class Reader {
public:
    explicit Reader(const std::string& path) : path_(path), file_(std::make_shared<OpenFile>(path)), size_(file_->size()) {}

    Safetensors read(const FreeMemory& free) {
        const std::string header = read_header();
        std::vector<Entry> entries = parse(header, free);
        check_layout(entries, size_ - 8 - int64_t(header.size()));
        for (Entry& e : entries) {
            const int64_t begin = 8 + int64_t(header.size()) + e.begin, end = begin + e.end - e.begin;
            e.array.source = [file = file_, begin, end](const TakeBytes& take) {
                std::vector<std::byte> bytes(std::min(piece, std::size_t(end - begin)));
                for (int64_t at = begin; at < end; at += int64_t(bytes.size())) {
                    bytes.resize(std::min(bytes.size(), std::size_t(end - at)));
                    file->get(at, bytes.data(), bytes.size());
                    take(bytes.data(), bytes.size());
                }
            };
            content_.arrays.push_back(std::move(e.array));
        }
        return std::move(content_);
    }

private:
    [[noreturn]] void foreign(const std::string& why) const {
        throw Error("not a safetensors file: " + why, path_, "give a .safetensors file");
    }
    [[noreturn]] void damaged(const std::string& why) const { gannet::damaged(why, path_); }

    std::string read_header() {
        if (size_ < 8) foreign("it has " + counted(size_, "byte") + ", too few for a header");
        uint64_t length;
        file_->get(0, &length, 8);
        if (length > longest_of_format) foreign("its first 8 bytes are not the length of a header");
        if (int64_t(length) > size_ - 8)
            damaged("a header of " + counted(int64_t(length), "byte") + ", the file has " + grouped(size_ - 8) +
                    ": it is truncated");
        if (length > longest_header)
            throw Error("its header has " + std::to_string(length) + " bytes, more than " + std::to_string(longest_header), path_,
                        "is it a file of this program?");
        std::string header(std::size_t(length), '\0');
        file_->get(8, header.data(), header.size());
        if (header.empty() || header[0] != '{') foreign("its header is not a JSON object");
        return header;
    }

    std::vector<Entry> parse(const std::string& header, const FreeMemory& free) {
        json::Value root;
        try {
            root = json::parse(header, path_, longest_header, free);
        } catch (const LackOfMemory&) {
            throw;
        } catch (const Error& error) {
            damaged("its header cannot be read: " + std::string(error.what()));
        }
        const auto* members = std::get_if<json::Members>(&root.data);
        if (!members) foreign("its header is not a JSON object");
        std::vector<Entry> entries;
        for (const auto& [name, value] : *members) {
            if (name == metadata_key) parse_metadata(value);
            else entries.push_back(parse_entry(name, value));
        }
        return entries;  // with different names: the parser refuses duplicate keys
    }

    void parse_metadata(const json::Value& value) {
        const auto* members = std::get_if<json::Members>(&value.data);
        if (!members) damaged("its metadata are not a JSON object");
        for (const auto& [key, text] : *members) {
            const auto* words = std::get_if<std::string>(&text.data);
            if (!words) damaged("metadata " + key + " is not a string");
            content_.metadata[key] = *words;
        }
    }

    std::vector<int64_t> integers(const std::string& name, const json::Value& value, const char* key) const {
        const json::Value* found = value.find(key);
        const auto* list = found ? std::get_if<json::List>(&found->data) : nullptr;
        if (!list) damaged("array " + name + " has no list " + key);
        std::vector<int64_t> numbers;
        for (const json::Value& v : *list) {
            const int64_t* n = std::get_if<int64_t>(&v.data);
            if (!n || *n < 0) damaged("array " + name + ": " + key + " has an entry that is not a size");
            numbers.push_back(*n);
        }
        return numbers;
    }

    Entry parse_entry(const std::string& name, const json::Value& value) const {
        Entry entry;
        entry.array.name = name;
        const json::Value* dtype = value.find("dtype");
        const auto* word = dtype ? std::get_if<std::string>(&dtype->data) : nullptr;
        if (!word) damaged("array " + name + " has no dtype");
        if (dtype_bytes(*word) == 0) damaged("array " + name + " has the unknown dtype " + *word);
        entry.array.dtype = *word;
        entry.array.shape = integers(name, value, "shape");
        const std::vector<int64_t> offsets = integers(name, value, "data_offsets");
        if (offsets.size() != 2 || offsets[0] > offsets[1])
            damaged("array " + name + ": data_offsets are not a begin and an end");
        entry.begin = offsets[0];
        entry.end = offsets[1];
        if (bytes_of(*word, entry.array.shape) != entry.end - entry.begin)
            damaged("array " + name + " is " + *word + " " + shape_text(entry.array.shape) + " but has " +
                    counted(entry.end - entry.begin, "byte"));
        return entry;
    }

    // Sorts by place, so that the arrays can be read one after the other.
    void check_layout(std::vector<Entry>& entries, int64_t available) const {
        std::stable_sort(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
        int64_t at = 0;
        for (const Entry& e : entries) {
            if (e.begin < at) damaged("array " + e.array.name + " overlaps another");
            if (e.begin > at) damaged("bytes before array " + e.array.name + " belong to none");
            at = e.end;
        }
        if (at > available)
            damaged("its arrays take " + counted(at, "byte") + ", the file has " + grouped(available) + ": it is truncated");
        if (at < available) damaged(counted(available - at, "byte follows", "bytes follow") + " the last array");
    }

    std::string path_;
    std::shared_ptr<OpenFile> file_;
    int64_t size_ = 0;
    Safetensors content_;
};

}  // namespace

int64_t dtype_bytes(const std::string& dtype) {
    static const std::map<std::string, int64_t> sizes = {
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
        {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8},
    };
    const auto found = sizes.find(dtype);
    return found == sizes.end() ? 0 : found->second;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (int64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return "(" + text + ")";
}

const Array* Safetensors::find(const std::string& name) const {
    for (const Array& array : arrays)
        if (array.name == name) return &array;
    return nullptr;
}

void Array::pieces(const TakeBytes& take) const {
    if (source) source(take);
    else if (!data.empty()) take(data.data(), data.size());
}

int64_t Array::bytes() const { return bytes_of(dtype, shape); }

void Array::load() {
    if (!source) return;
    data.reserve(std::size_t(bytes()));
    pieces([&](const std::byte* bytes, std::size_t count) { data.insert(data.end(), bytes, bytes + count); });
    source = nullptr;
}

Safetensors open_safetensors(const std::string& path, const FreeMemory& free) { return Reader(path).read(free); }

Safetensors read_safetensors(const std::string& path, const FreeMemory& free) {
    Safetensors content = open_safetensors(path, free);
    int64_t bytes = 0;  // no more than the file has
    for (const Array& array : content.arrays) bytes += array.bytes();
    check_free(bytes, path, free);
    for (Array& array : content.arrays) array.load();
    return content;
}

void write_safetensors(const std::string& path, const Safetensors& content) {
    std::vector<const Array*> arrays;
    for (const Array& a : content.arrays) {
        if (a.name == metadata_key || dtype_bytes(a.dtype) == 0 || a.bytes() < 0 ||
            (!a.source && a.bytes() != int64_t(a.data.size())))
            throw Error("cannot write array \"" + a.name + "\" of " + a.dtype + " " + shape_text(a.shape) + " with " +
                            counted(int64_t(a.data.size()), "byte"),
                        path);
        arrays.push_back(&a);
    }
    std::sort(arrays.begin(), arrays.end(), [](const Array* a, const Array* b) {
        const int64_t wide = dtype_bytes(a->dtype), other = dtype_bytes(b->dtype);
        return wide != other ? wide > other : a->name < b->name;
    });
    json::Members header;
    if (!content.metadata.empty()) {
        json::Members metadata;
        for (const auto& [key, text] : content.metadata) metadata.emplace_back(key, text);
        header.emplace_back(metadata_key, std::move(metadata));
    }
    int64_t at = 0;
    for (const Array* a : arrays) {
        if (header.index_of(a->name) < header.size()) throw Error("cannot write two arrays called " + a->name, path);
        const int64_t end = at + a->bytes();
        json::Members entry;
        entry.emplace_back("dtype", a->dtype);
        entry.emplace_back("shape", json::List(a->shape.begin(), a->shape.end()));
        entry.emplace_back("data_offsets", json::List{at, end});
        header.emplace_back(a->name, std::move(entry));
        at = end;
    }
    std::string text = json::dump(json::Value(std::move(header)), -1);
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const uint64_t length = text.size();
    if (length > longest_header)
        throw Error("a header of " + std::to_string(length) + " bytes for " + std::to_string(content.arrays.size()) + " arrays",
                    path, "the limit is " + std::to_string(longest_header) + " bytes: use fewer layers");
    AtomicFile file(path);
    file.write(&length, 8);
    file.write(text.data(), text.size());
    for (const Array* a : arrays) {
        int64_t left = a->bytes();
        a->pieces([&](const std::byte* bytes, std::size_t count) {
            file.write(bytes, count);
            left -= int64_t(count);
        });
        if (left != 0) throw Error("array \"" + a->name + "\" is not of shape " + shape_text(a->shape), path);
    }
    file.commit();
}

}  // namespace gannet
