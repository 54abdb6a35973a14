#include "data/entry_name.h"

#include <iconv.h>

#include <cerrno>
#include <cstdint>
#include <new>

namespace gannet {
namespace {

// Of this thread only, and only while it lives.
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

// As it is where the system lacks the conversion.
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

}  // namespace

// With "C" libarchive hands out a tar's bytes as they are. With UTF-8 it composes letters and accents, so that two names may
// become one; but a zip's names can be had in no other way.
EntryNames::EntryNames(bool zip) : zip_(zip), locale_(::newlocale(LC_CTYPE_MASK, zip ? "C.UTF-8" : "C", locale_t())) {
    if (!locale_ && errno == ENOMEM) throw std::bad_alloc();
}

EntryNames::~EntryNames() {
    if (locale_) ::freelocale(locale_);
}

int EntryNames::next(archive* a, archive_entry*& entry) const {
    const Within locale(locale_);
    return archive_read_next_header(a, &entry);
}

std::optional<std::string> EntryNames::name(archive_entry* entry) const {
    const Within locale(locale_);
    const char* raw = archive_entry_pathname(entry);
    if (!raw || !*raw) return std::nullopt;
    std::string name = raw;
    if (zip_ && !archive_entry_pathname_utf8(entry)) name = from_code_page_437(std::move(name));
    return without_root(std::move(name));
}

std::string without_root(std::string path) {
    while (path.starts_with('/') || path.starts_with("./")) path.erase(0, path[0] == '/' ? 1 : 2);
    return path;
}

}  // namespace gannet
