#!/usr/bin/env python3
"""test_crash_shim.py SHIM APPS: checks that SHIM, the fault injector of tools/crash, intercepts every call of the C library that
changes files and that the programs in the folder APPS or their libraries import. Makes each call that SHIM knows twice: once it must
be counted, and once it must fail.

The last line is `N passed, N failed, N skipped`.
"""
import errno
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = ("train", "generate", "evaluate", "summary", "bench")
# Calls of glibc that change the content of a file system, or open, sync and close files.
MUTATING = set("""
open open64 openat openat64 creat creat64 __open_2 __open64_2 __openat_2 __openat64_2 open_by_handle_at shm_open shm_unlink
mkstemp mkstemp64 mkstemps mkstemps64 mkostemp mkostemp64 mkostemps mkostemps64 mkdtemp tmpfile tmpfile64
fopen fopen64 freopen freopen64 fclose fcloseall fflush fflush_unlocked
write pwrite pwrite64 writev pwritev pwritev64 pwritev2 pwritev64v2 sendfile sendfile64 copy_file_range splice
fallocate fallocate64 posix_fallocate posix_fallocate64 ftruncate ftruncate64 truncate truncate64 mmap mmap64
aio_write aio_write64 lio_listio lio_listio64 io_uring_enter syscall
fwrite fwrite_unlocked fputs fputs_unlocked fputc fputc_unlocked putc putc_unlocked _IO_putc __overflow putw
fputwc fputws putwc fwprintf vfwprintf fprintf vfprintf __fprintf_chk __vfprintf_chk dprintf vdprintf __dprintf_chk __vdprintf_chk
fsync fdatasync sync syncfs sync_file_range msync flock lockf lockf64 close close_range closefrom dup dup2 dup3
rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir remove
mkdir mkdirat mknod mknodat mkfifo mkfifoat __xmknod __xmknodat
chmod fchmod fchmodat lchmod chown fchown lchown fchownat utime utimes lutimes futimes futimesat utimensat futimens
setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
""".split())
# Calls that the shim need not intercept: in libraries, and in programs with the CUDA runtime.
OF_LIBRARIES = {"syscall": "libstdc++ waits for threads", "mmap": "libicuuc reads its tables", "putwc": "std::wcout of libstdc++"}
OF_CUDA = {"syscall", "mmap", "mkfifo", "shm_open", "shm_unlink"}

# How to make each call. f is a file of ten bytes, d a folder, l a link to f; fd() is f opened for writing, stream() the same as a
# FILE.
EXAMPLES = {
    "open": 'c.open(b"new", 0o101, 0o644)', "open64": 'c.open64(b"new", 0o101, 0o644)', "creat": 'c.creat(b"new", 0o644)',
    "openat": 'c.openat(-100, b"new", 0o101, 0o644)', "openat64": 'c.openat64(-100, b"new", 0o101, 0o644)',
    "__open_2": 'c.__getattr__("__open_2")(b"f", 1)', "__openat_2": 'c.__getattr__("__openat_2")(-100, b"f", 1)',
    "mkstemp": 'c.mkstemp(bytearray_of(b"tXXXXXX"))', "mkostemp": 'c.mkostemp(bytearray_of(b"tXXXXXX"), 0)',
    "mkdtemp": 'c.mkdtemp(bytearray_of(b"tXXXXXX"))', "fopen": 'c.fopen(b"new", b"w")', "fopen64": 'c.fopen64(b"new", b"w")',
    "fclose": "c.fclose(stream())", "fflush": "c.fflush(stream())", "close": "c.close(fd())", "dup": 'c.write(c.dup(fd()), b"abc", 3)',
    "write": 'c.write(fd(), b"abc", 3)', "pwrite": 'c.pwrite(fd(), b"abc", 3, 2)', "pwrite64": 'c.pwrite64(fd(), b"abc", 3, 2)',
    "writev": "c.writev(fd(), iovec(), 1)", "pwritev": "c.pwritev(fd(), iovec(), 1, 2)", "pwritev64": "c.pwritev64(fd(), iovec(), 1, 2)",
    "sendfile": 'c.sendfile(fd(), c.open(b"f", 0), None, 3)',
    "copy_file_range": 'c.copy_file_range(c.open(b"f", 0), None, fd(), None, 3, 0)',
    "fallocate": "c.fallocate(fd(), 0, 0, 99)", "posix_fallocate": "c.posix_fallocate(fd(), 0, 99)",
    "ftruncate": "c.ftruncate(fd(), 2)", "ftruncate64": "c.ftruncate64(fd(), 2)",
    "truncate": 'c.truncate(b"f", 2)', "truncate64": 'c.truncate64(b"f", 2)',
    "fwrite": 'c.fwrite(b"abc", 1, 3, stream())', "fputs": 'c.fputs(b"abc", stream())', "fputc": "c.fputc(65, stream())",
    "putc": "c.putc(65, stream())", "fprintf": 'c.fprintf(stream(), b"abc")', "vfprintf": 'c.vfprintf(stream(), b"abc", nothing())',
    "__fprintf_chk": 'c.__getattr__("__fprintf_chk")(stream(), 1, b"abc")',
    "__vfprintf_chk": 'c.__getattr__("__vfprintf_chk")(stream(), 1, b"abc", nothing())',
    "fsync": "c.fsync(fd())", "fdatasync": "c.fdatasync(fd())", "flock": "c.flock(fd(), 2)",
    "rename": 'c.rename(b"f", b"new")', "renameat": 'c.renameat(-100, b"f", -100, b"new")',
    "renameat2": 'c.renameat2(-100, b"f", -100, b"new", 0)', "link": 'c.link(b"f", b"new")',
    "linkat": 'c.linkat(-100, b"f", -100, b"new", 0)', "symlink": 'c.symlink(b"f", b"new")', "symlinkat": 'c.symlinkat(b"f", -100, b"new")',
    "unlink": 'c.unlink(b"f")', "unlinkat": 'c.unlinkat(-100, b"f", 0)', "rmdir": 'c.rmdir(b"d")', "remove": 'c.remove(b"f")',
    "mkdir": 'c.mkdir(b"new", 0o755)', "mkdirat": 'c.mkdirat(-100, b"new", 0o755)', "mknod": 'c.mknod(b"new", 0o100644, 0)',
    "mknodat": 'c.mknodat(-100, b"new", 0o100644, 0)', "mkfifo": 'c.mkfifo(b"new", 0o644)', "mkfifoat": 'c.mkfifoat(-100, b"new", 0o644)',
    "chmod": 'c.chmod(b"f", 0o600)', "lchmod": 'c.lchmod(b"f", 0o600)', "fchmod": "c.fchmod(fd(), 0o600)",
    "fchmodat": 'c.fchmodat(-100, b"f", 0o600, 0)', "chown": 'c.chown(b"f", -1, -1)', "lchown": 'c.lchown(b"f", -1, -1)',
    "fchown": "c.fchown(fd(), -1, -1)", "fchownat": 'c.fchownat(-100, b"f", -1, -1, 0)', "utime": 'c.utime(b"f", None)',
    "utimes": 'c.utimes(b"f", None)', "lutimes": 'c.lutimes(b"f", None)', "futimes": "c.futimes(fd(), None)",
    "futimesat": 'c.futimesat(-100, b"f", None)', "utimensat": 'c.utimensat(-100, b"f", None, 0)', "futimens": "c.futimens(fd(), None)",
    "setxattr": 'c.setxattr(b"f", b"user.a", b"b", 1, 0)', "lsetxattr": 'c.lsetxattr(b"f", b"user.a", b"b", 1, 0)',
    "fsetxattr": 'c.fsetxattr(fd(), b"user.a", b"b", 1, 0)', "removexattr": 'c.removexattr(b"f", b"user.a")',
    "lremovexattr": 'c.lremovexattr(b"f", b"user.a")', "fremovexattr": 'c.fremovexattr(fd(), b"user.a")',
}
CALLER = """
import ctypes, os, sys
c = ctypes.CDLL(None, use_errno=True)
c.fopen.restype = c.fopen64.restype = c.mkdtemp.restype = ctypes.c_void_p
def fd(): return c.open(b"f", 2)
class Stream(ctypes.c_void_p): pass
def stream(): return Stream(c.fopen(b"f", b"r+"))
def nothing(): return ctypes.create_string_buffer(64)
def bytearray_of(text): return ctypes.create_string_buffer(text)
def iovec(): return (ctypes.c_void_p * 2)(ctypes.cast(ctypes.c_char_p(b"abc"), ctypes.c_void_p), 3)
result = eval(sys.argv[1])
error = ctypes.get_errno()
os._exit(error if error else result if sys.argv[1].startswith("c.posix_fallocate") else 0)
"""


def symbols(path, which):
    """Dynamic symbols of a program or a library, without versions."""
    done = subprocess.run(["nm", "-D", which, path], capture_output=True, text=True, check=True)
    return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}


def libraries(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    paths = {line.split("=>")[1].split()[0] for line in done.stdout.splitlines() if "=> /" in line}
    return {path for path in paths if not os.path.basename(path).startswith(("libc.so", "libcu", "librt.so"))}


def holds_cuda(program):
    with open(program, "rb") as f:
        return b"libcuda.so" in f.read()


def unseen(needs, known):
    """The needed calls that change files and that the shim does not know."""
    return sorted(needs & MUTATING - known)


def state(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        info = os.lstat(path)
        content = b""
        if os.path.isfile(path):
            with open(path, "rb") as f:
                content = f.read()
        found[name] = (info.st_mode, info.st_uid, info.st_mtime_ns, info.st_nlink, content)
    return found


def make_call(shim, folder, code, **options):
    """Makes a call in a new folder; returns its status, the folder before and after the call, and the counted letters."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{folder}/d")
    with open(f"{folder}/f", "wb") as f:
        f.write(b"0123456789")
    os.symlink("f", f"{folder}/l")
    listing = f"{folder}.list"
    with open(listing, "wb"):
        pass
    before = state(folder)
    env = {"LD_PRELOAD": shim, "CRASH_LIST": listing, "PATH": os.environ["PATH"], **options}
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", CALLER, code], cwd=folder, env=env, check=False)
    with open(listing, encoding="utf-8") as f:
        letters = [line[0] for line in f]
    return done.returncode, before, state(folder), letters


def main():
    shim, programs = os.path.abspath(sys.argv[1]), [f"{sys.argv[2]}/{name}" for name in PROGRAMS]
    passed = failed = 0

    def check(right, text):
        nonlocal passed, failed
        passed, failed = passed + bool(right), failed + (not right)
        if not right:
            print(f"FAILED: {text}")

    known = symbols(shim, "--defined-only")
    for path in [*programs, *sorted(set().union(*map(libraries, programs)))]:
        needs = symbols(path, "--undefined-only")
        if path not in programs:
            needs -= OF_LIBRARIES.keys()
        elif holds_cuda(path):
            needs -= OF_CUDA
        check(not unseen(needs, known), f"{path} calls {' '.join(unseen(needs, known))}, which tools/crash/shim*.cpp do not know")
    with tempfile.TemporaryDirectory() as work:
        for name in sorted(known & MUTATING):
            check(name in EXAMPLES, f"{name} has no example here")
            if name not in EXAMPLES:
                continue
            _, _, _, letters = make_call(shim, f"{work}/files", EXAMPLES[name])
            check(letters, f"{name} is not counted")
            status, before, after, _ = make_call(shim, f"{work}/files", EXAMPLES[name], CRASH_AT=str(len(letters)), CRASH_DO="fail",
                                                 CRASH_ERRNO=str(errno.EDOM))
            check(status == errno.EDOM, f"{name} does not fail as it is told: status {status}")
            check(before == after, f"{name} changes files although it fails")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
