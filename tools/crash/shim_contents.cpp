// Calls that open files and change their content.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "shim.h"

using namespace shim;

namespace {

int open_file(int folder, const char* path, int flags, mode_t mode) {
    const std::string full = at(folder, path);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    const auto real = [&] { return int(syscall(SYS_openat, folder, path, flags, mode)); };
    if (!counts(full)) return real();
    int descriptor = -1;
    return int(guard(
        writes ? 'o' : 'x', full.c_str(), [&] { return descriptor = real(); }, [&] { opened(descriptor, full, flags); }));
}

int made(int descriptor, char* path) {
    if (descriptor >= 0) opened(descriptor, path, O_RDWR | O_CREAT | O_EXCL);
    return descriptor;
}

// Writes at the given offset, or at the file position if it is -1.
ssize_t put(int descriptor, const void* bytes, size_t count, off_t place) {
    const auto real = [&](size_t n) {
        const ssize_t done =
            place < 0 ? syscall(SYS_write, descriptor, bytes, n) : syscall(SYS_pwrite64, descriptor, bytes, n, place);
        if (done > 0 && journaled() && written(descriptor))
            record('w', descriptor, place < 0 ? lseek(descriptor, 0, SEEK_CUR) - done : place, bytes, std::size_t(done));
        return done;
    };
    const Fate f = written(descriptor) ? fate('w', name(descriptor)) : Fate::pass;
    if (f == Fate::fail) {
        errno = error();
        return -1;
    }
    const ssize_t done = real(f == Fate::half || f == Fate::kill_middle ? std::max<size_t>(1, count / 2) : count);
    if (f == Fate::kill_after || f == Fate::kill_middle) die();
    return done;
}

ssize_t put_parts(int descriptor, const iovec* parts, int count, off_t place) {
    std::string all;
    for (int i = 0; i < count; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return put(descriptor, all.data(), all.size(), place);
}

// A call that writes to a file in another way. Counted only if the file is open for writing.
template <class Real>
long filled(const char* symbol, int descriptor, Real real) {
    return written(descriptor) ? guard('w', name(descriptor), real, [&] { unknown(symbol); }) : long(real());
}

template <class Real>
int closed(int descriptor, Real real) {
    if (!file(descriptor) || file(descriptor)->path.empty()) return real();
    const File f = *file(descriptor);
    *file(descriptor) = {};
    record_path('c', "", "", descriptor);
    if (!f.written) return real();
    const Fate now = fate('c', f.path.c_str());
    const int result = real();  // Linux closes the descriptor even if close() fails
    if (now == Fate::kill_after || now == Fate::kill_middle) die();
    if (now != Fate::fail) return result;
    errno = error();
    return -1;
}

}  // namespace

#define MODE                             \
    mode_t mode = 0;                     \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest;                    \
        va_start(rest, flags);           \
        mode = va_arg(rest, mode_t);     \
        va_end(rest);                    \
    }

extern "C" {

int open(const char* path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char* path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char* path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }
int openat64(int folder, const char* path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }
int __open_2(const char* path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char* path, int flags) { return open_file(folder, path, flags, 0); }
int creat(const char* path, mode_t mode) { return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int mkstemp(char* path) {
    return int(guard(
        'o', path, [&] { return made(next<int(char*)>("mkstemp")(path), path); }, [] {}));
}
int mkostemp(char* path, int flags) {
    return int(guard(
        'o', path, [&] { return made(next<int(char*, int)>("mkostemp")(path, flags), path); }, [] {}));
}

ssize_t write(int descriptor, const void* bytes, size_t count) { return put(descriptor, bytes, count, -1); }
ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t place) { return put(descriptor, bytes, count, place); }
ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off_t place) { return put(descriptor, bytes, count, place); }
ssize_t writev(int descriptor, const iovec* parts, int count) { return put_parts(descriptor, parts, count, -1); }
ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t place) { return put_parts(descriptor, parts, count, place); }
ssize_t pwritev64(int descriptor, const iovec* parts, int count, off_t place) {
    return put_parts(descriptor, parts, count, place);
}
ssize_t sendfile(int to, int from, off_t* place, size_t count) {
    return filled("sendfile", to, [&] { return syscall(SYS_sendfile, to, from, place, count); });
}
ssize_t copy_file_range(int from, off_t* from_place, int to, off_t* to_place, size_t count, unsigned flags) {
    return filled("copy_file_range", to,
                  [&] { return syscall(SYS_copy_file_range, from, from_place, to, to_place, count, flags); });
}
int fallocate(int descriptor, int mode, off_t from, off_t count) {
    return int(filled("fallocate", descriptor, [&] { return syscall(SYS_fallocate, descriptor, mode, from, count); }));
}
int posix_fallocate(int descriptor, off_t from, off_t count) {  // returns the error number
    return fallocate(descriptor, 0, from, count) == 0 ? 0 : errno;
}
ssize_t read(int descriptor, void* bytes, size_t count) {
    if (file(descriptor) && !file(descriptor)->path.empty() && fate('R', name(descriptor)) == Fate::fail) {
        errno = error();
        return -1;
    }
    return syscall(SYS_read, descriptor, bytes, count);
}

FILE* fopen(const char* path, const char* mode) {
    const std::string how = mode;
    const bool reads = how.find_first_of("wa+") == std::string::npos;
    const int flags = reads ? O_RDONLY : (how[0] == 'r' ? 0 : O_CREAT) | (how[0] == 'w' ? O_TRUNC : 0) | O_RDWR;
    const auto real = [&] { return next<FILE*(const char*, const char*)>("fopen")(path, mode); };
    if (!counts(path)) return real();
    FILE* stream = nullptr;
    guard(
        reads ? 'x' : 'o', path, [&] { return (stream = real()) ? 0 : -1; }, [&] { opened(fileno(stream), path, flags); });
    return stream;
}
FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }
size_t fread(void* bytes, size_t size, size_t count, FILE* stream) {
    if (fate('R', "") == Fate::fail) {
        stream->_flags |= 0x20;  // glibc's error flag, which ferror() reads
        errno = error();
        return 0;
    }
    return next<size_t(void*, size_t, size_t, FILE*)>("fread")(bytes, size, count, stream);
}
size_t fwrite(const void* bytes, size_t size, size_t count, FILE* stream) {
    const auto real = next<size_t(const void*, size_t, size_t, FILE*)>("fwrite");
    const Fate f = written(fileno(stream)) ? fate('w', name(fileno(stream))) : Fate::pass;
    if (f == Fate::fail) {
        errno = error();
        return 0;
    }
    if (journaled() && written(fileno(stream))) {
        fflush(stream);
        const off_t before = lseek(fileno(stream), 0, SEEK_CUR);
        const size_t done = real(bytes, size, count, stream);
        fflush(stream);
        record('w', fileno(stream), before, bytes, size * done);
        return done;
    }
    if (f == Fate::pass || f == Fate::half) return real(bytes, size, count, stream);
    real(bytes, f == Fate::kill_middle ? size * count / 2 : size * count, 1, stream);
    fflush(stream);
    die();
}
int fputs(const char* text, FILE* stream) { return fwrite(text, 1, strlen(text), stream) == strlen(text) ? 1 : EOF; }
int fputc(int c, FILE* stream) {
    const auto byte = static_cast<unsigned char>(c);
    return fwrite(&byte, 1, 1, stream) == 1 ? byte : EOF;
}
int putc(int c, FILE* stream) { return fputc(c, stream); }
int vfprintf(FILE* stream, const char* format, va_list values) {
    char* text = nullptr;
    const int length = vasprintf(&text, format, values);
    const bool whole = length >= 0 && fwrite(text, 1, size_t(length), stream) == size_t(length);
    if (length >= 0) free(text);
    return whole ? length : -1;
}
int fprintf(FILE* stream, const char* format, ...) {
    va_list values;
    va_start(values, format);
    const int length = vfprintf(stream, format, values);
    va_end(values);
    return length;
}
int __vfprintf_chk(FILE* stream, int, const char* format, va_list values) { return vfprintf(stream, format, values); }
int __fprintf_chk(FILE* stream, int, const char* format, ...) {
    va_list values;
    va_start(values, format);
    const int length = vfprintf(stream, format, values);
    va_end(values);
    return length;
}
int fflush(FILE* stream) {
    const auto real = [&] { return next<int(FILE*)>("fflush")(stream); };
    return stream && written(fileno(stream)) ? int(guard('w', name(fileno(stream)), real, [] {})) : real();
}

int fsync(int descriptor) {
    return int(guard(
        'f', name(descriptor), [&] { return syscall(SYS_fsync, descriptor); }, [&] { record_path('f', "", "", descriptor); }));
}
int fdatasync(int descriptor) { return fsync(descriptor); }
int ftruncate(int descriptor, off_t length) {
    return int(guard(
        't', name(descriptor), [&] { return syscall(SYS_ftruncate, descriptor, length); },
        [&] { record_path('t', "", "", descriptor, length); }));
}
int ftruncate64(int descriptor, off_t length) { return ftruncate(descriptor, length); }
int truncate(const char* path, off_t length) {
    return int(guard(
        't', path, [&] { return syscall(SYS_truncate, path, length); }, [&] { record_path('t', path, "", -1, length); }));
}
int truncate64(const char* path, off_t length) { return truncate(path, length); }

int close(int descriptor) {
    return closed(descriptor, [&] { return int(syscall(SYS_close, descriptor)); });
}
int fclose(FILE* stream) {
    const auto real = [&] { return next<int(FILE*)>("fclose")(stream); };
    return stream ? closed(fileno(stream), real) : real();
}
int dup(int descriptor) {
    const int other = int(syscall(SYS_dup, descriptor));
    if (file(descriptor) && file(other)) *file(other) = *file(descriptor);
    return other;
}

}  // extern "C"
