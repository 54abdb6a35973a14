#include "data/entry_name.h"

#include <iconv.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

#include "base/error.h"
#include "base/reason.h"
#include "base/text.h"
#include "data/stream.h"

namespace gannet {
namespace {

// Changes the locale of this thread while the object lives.
class Within {
public:
    explicit Within(locale_t wanted) : before_(wanted ? ::uselocale(wanted) : locale_t()) {}
    ~Within() {
        if (before_) ::uselocale(before_);
    }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

private:
    locale_t before_;
};

// Unchanged if the system lacks the conversion.
std::string from_code_page_437(std::string name) {
    const iconv_t conversion = ::iconv_open("UTF-8", "CP437");
    if (reinterpret_cast<std::intptr_t>(conversion) == -1) {
        if (errno == ENOMEM) throw std::bad_alloc();
        return name;
    }
    std::string out(3 * name.size(), '\0');
    char *from = name.data(), *to = out.data();
    std::size_t left = name.size(), room = out.size();
    const bool done = ::iconv(conversion, &from, &left, &to, &room) != std::size_t(-1);
    ::iconv_close(conversion);
    if (!done) return name;
    out.resize(out.size() - room);
    return out;
}

uint64_t little_endian(std::string_view bytes) {
    uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | uint8_t(bytes[i]);
    return value;
}

// A zip's header right before an entry's bytes.
struct LocalHeader {
    bool utf8, deflated;
    int64_t packed;  // bytes of the entry, 0 if a later place says it
    int64_t after;   // bytes that follow the header
    std::string name, extra;
};

constexpr std::size_t fixed_size = 30, longest_path = 4096;

// The last header in `bytes` that ends at their end or at the end of its entry's bytes. Its name has the length that it states.
std::optional<LocalHeader> last_header(const std::string& bytes, bool link) {
    for (std::size_t at = bytes.rfind("PK\3\4"); at != std::string::npos;
         at = at ? bytes.rfind("PK\3\4", at - 1) : std::string::npos) {
        const std::string_view header = std::string_view(bytes).substr(at);
        if (header.size() < fixed_size) continue;
        const uint64_t name = little_endian(header.substr(26, 2)), extra = little_endian(header.substr(28, 2));
        const uint64_t end = fixed_size + name + extra, packed = little_endian(header.substr(18, 4));
        const uint64_t flags = little_endian(header.substr(6, 2));
        const bool size_follows = (flags & 8) != 0, deflated = little_endian(header.substr(8, 2)) == 8;
        if (end > header.size()) continue;
        if (end != header.size() && !(link && (size_follows || deflated || end + packed == header.size()))) continue;
        return LocalHeader{(flags & 0x800) != 0,
                           deflated,
                           size_follows ? 0 : int64_t(packed),
                           int64_t(header.size() - end),
                           std::string(header.substr(fixed_size, name)),
                           std::string(header.substr(fixed_size + name, extra))};
    }
    return std::nullopt;
}

// Info-ZIP's extra field: the name in UTF-8, which must match the name for older programs. "" if there is none.
std::string unicode_name(const LocalHeader& header) {
    constexpr uint64_t unicode_path = 0x7075;
    constexpr std::size_t before_name = 5;  // a version, and the other name's checksum
    for (std::string_view rest = header.extra; rest.size() >= 4;) {
        const std::size_t size = std::min<std::size_t>(little_endian(rest.substr(2, 2)), rest.size() - 4);
        const std::string_view field = rest.substr(4, size);
        if (little_endian(rest.substr(0, 2)) == unicode_path && size > before_name && field[0] == 1 &&
            little_endian(field.substr(1, 4)) ==
                ::crc32(0, reinterpret_cast<const Bytef*>(header.name.data()), uInt(header.name.size())))
            return std::string(field.substr(before_name));
        rest.remove_prefix(4 + size);
    }
    return "";
}

bool is_utf8(const std::string& text) {
    std::size_t length = 1;
    for (std::size_t at = 0; at < text.size() && length > 0; at += length) length = character_at(text, at);
    return length > 0;
}

}  // namespace

// With the locale "C" libarchive returns a tar's bytes unchanged. With UTF-8 it composes letters and accents, so that two names
// may become equal; so a zip's names are read separately.
EntryNames::EntryNames(const std::string& file, bool zip)
    : zip_(zip),
      locale_(::newlocale(LC_CTYPE_MASK, zip ? "C.UTF-8" : "C", locale_t())),
      file_(zip ? std::fopen(file.c_str(), "rb") : nullptr, std::fclose) {
    if (!locale_ && errno == ENOMEM) throw std::bad_alloc();
    if (zip && !file_) throw Error("cannot open the archive: " + reason_of(errno), printable(file), "check its permissions");
}

EntryNames::~EntryNames() {
    if (locale_) ::freelocale(locale_);
}

int EntryNames::next(archive* a, archive_entry*& entry) const {
    const Within locale(locale_);
    return archive_read_next_header(a, &entry);
}

std::optional<EntryNames::Name> EntryNames::name(archive* a, archive_entry* entry) const {
    const Within locale(locale_);
    if (zip_) {
        std::optional<Name> found = zip_name(a, entry);
        if (found && found->name.empty()) return std::nullopt;
        if (found) return found;
    }
    const char *raw = archive_entry_pathname(entry), *target = archive_entry_symlink(entry);
    if (!raw || !*raw) return std::nullopt;
    return Name{without_root(raw), target ? target : ""};
}

// The bytes that libarchive has just read end with the entry's header or, for a link, with its target. Returns the name "" if it
// cannot be read, and nothing if there is no such header.
std::optional<EntryNames::Name> EntryNames::zip_name(archive* a, archive_entry* entry) const {
    constexpr int64_t usual = 512, most = fixed_size + 2 * 65535, longest_link = 65536;
    const bool link = archive_entry_filetype(entry) == AE_IFLNK;
    const int64_t end = archive_filter_bytes(a, 0);
    std::string bytes = bytes_before(end, usual);
    std::optional<LocalHeader> header = last_header(bytes, link);
    if (!header) header = last_header(bytes = bytes_before(end, most + (link ? longest_link : 0)), link);
    if (!header) return std::nullopt;
    const auto readable = [&](std::string text, bool utf8) {
        if (text.find('\0') != std::string::npos || (utf8 && !is_utf8(text))) return std::string();
        return is_utf8(text) ? text : from_code_page_437(std::move(text));
    };
    const std::string unicode = unicode_name(*header);
    Name out{readable(unicode.empty() ? header->name : unicode, header->utf8 || !unicode.empty()), ""};
    const char *converted = archive_entry_pathname(entry), *target = archive_entry_symlink(entry);
    if (converted && !std::strchr(converted, '\\'))  // libarchive knows the system that wrote it
        std::replace(out.name.begin(), out.name.end(), '\\', '/');
    out.name = without_root(std::move(out.name));
    if (!link) return out;
    out.symlink = target ? target : "";
    // How far libarchive has read into it depends on how it is packed.
    const int64_t packed = header->packed > 0 ? header->packed : header->deflated ? longest_link : header->after;
    if (packed <= 0 || packed > longest_link) return out;
    std::string content = bytes_before(end - header->after + packed, packed);
    if (header->deflated) content = inflated(content, longest_path, -MAX_WBITS);
    if (!content.empty()) out.symlink = readable(std::move(content), header->utf8);
    return out;
}

std::string EntryNames::bytes_before(int64_t end, int64_t count) const {
    std::string bytes(std::size_t(std::min(count, end)), '\0');
    const bool there = ::fseeko(file_.get(), end - int64_t(bytes.size()), SEEK_SET) == 0;
    bytes.resize(there ? std::fread(bytes.data(), 1, bytes.size(), file_.get()) : 0);
    return bytes;
}

std::string without_root(std::string path) {
    while (path.starts_with('/') || path.starts_with("./")) path.erase(0, path[0] == '/' ? 1 : 2);
    return path;
}

}  // namespace gannet
