#!/usr/bin/env python3
"""Compiles every kernel for every architecture since sm_75 and prints its resources.

usage: ptxas.py [--archs 75,80] [--compact] [--jobs 2] [--build build/ptxas] [FILE.cu ...]

The table has a line for each kernel. For each architecture it shows registers per thread, shared memory per block and the
theoretical occupancy: the share of a multiprocessor's warps that can be resident. The number of threads is that of the kernel's
__launch_bounds__ or tile. A kernel fails on an architecture if ptxas warns, spills registers, gives it a stack frame (local
memory), or uses more registers than its launch bounds leave each thread. Compiled files are kept in --build and reused until a
source changes. --compact prints failures only. The last line, `N passed, N failed, N skipped`, counts kernels times
architectures.
"""
import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHS = [75, 80, 86, 89, 90, 100, 120]
FLAGS = ["-std=c++20", "-I.", "-O3", "-lineinfo", "-DGANNET_CUDA"]


class CompileError(Exception):
    pass


# ---- resources of a multiprocessor -----------------------------------------------------------------------------------------------
# CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".

@dataclass
class Multiprocessor:
    warps: int
    blocks: int
    shared: int  # bytes
    registers: int = 65536
    reserved: int = 1024  # bytes of each block's shared memory reserved by the system
    shared_unit: int = 128
    register_unit: int = 256  # a warp's registers are allocated in such units, from one of four partitions
    partitions: int = 4

    def resident_warps(self, threads: int, registers: int, shared: int) -> int:
        per_block = -(-threads // 32)
        per_warp = -(-registers * 32 // self.register_unit) * self.register_unit
        by_registers = self.registers // self.partitions // max(per_warp, 1) * self.partitions // per_block
        taken = -(-(shared + self.reserved) // self.shared_unit) * self.shared_unit
        by_shared = self.shared // taken if taken else self.blocks
        return min(self.blocks, self.warps // per_block, by_registers, by_shared) * per_block


MULTIPROCESSORS = {
    75: Multiprocessor(warps=32, blocks=16, shared=64 << 10, reserved=0, shared_unit=256),
    80: Multiprocessor(warps=64, blocks=32, shared=164 << 10),
    86: Multiprocessor(warps=48, blocks=16, shared=100 << 10),
    89: Multiprocessor(warps=48, blocks=24, shared=100 << 10),
    90: Multiprocessor(warps=64, blocks=32, shared=228 << 10),
    100: Multiprocessor(warps=64, blocks=32, shared=228 << 10),
    120: Multiprocessor(warps=48, blocks=24, shared=100 << 10),
}


# ---- compiling -------------------------------------------------------------------------------------------------------------------

def find_nvcc() -> str | None:
    return os.environ.get("NVCC") or shutil.which("nvcc")


def kernel_files() -> list[Path]:
    return sorted(p.relative_to(ROOT) for p in (ROOT / "kernels/cuda").glob("*.cu"))


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise CompileError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def dependencies(file: Path) -> list[str]:
    if not file.exists():
        return []
    names = file.read_text().replace("\\\n", " ").partition(":")[2].split()
    return [n for n in names if not Path(n).is_absolute() or Path(n).is_relative_to(ROOT)]


def digest(command: list[str], files: list[str]) -> str:
    h = hashlib.sha256("\0".join(command).encode())
    for name in sorted(files):
        path = ROOT / name
        h.update(path.read_bytes() if path.exists() else b"gone")
    return h.hexdigest()


@dataclass
class Compiled:
    """One source for one architecture. Its outputs are `stem` with .ptx, .cubin and .log."""
    source: Path
    arch: int
    stem: Path
    error: str = ""


def compile_one(nvcc: str, source: Path, arch: int, folder: Path) -> Compiled:
    """Compiles to PTX, then to machine code, as nvcc does for `-gencode arch=compute_N,code=sm_N`."""
    stem = folder / f"{source.stem}.sm_{arch}"
    made = {kind: Path(f"{stem}.{kind}") for kind in ("ptx", "cubin", "log", "d", "key")}
    to_ptx = [nvcc, *FLAGS, "-ptx", f"-arch=compute_{arch}", "-MD", "-MF", str(made["d"]), str(source), "-o", str(made["ptx"])]
    to_code = [str(Path(nvcc).resolve().parent / "ptxas"), "-lineinfo", "-v", "-warn-spills", "-warn-lmem-usage",
               f"-arch=sm_{arch}", str(made["ptx"]), "-o", str(made["cubin"])]
    result = Compiled(source, arch, stem)
    try:
        version = run([nvcc, "--version"])
        if made["cubin"].exists() and made["key"].exists():
            if made["key"].read_text() == digest([version, *to_ptx, *to_code], dependencies(made["d"])):
                return result
        made["key"].unlink(missing_ok=True)
        log = run(to_ptx)
        made["log"].write_text(log + run(to_code))
        made["key"].write_text(digest([version, *to_ptx, *to_code], dependencies(made["d"])))
    except CompileError as e:
        result.error = str(e)
    return result


def compile_all(nvcc: str, sources: list[Path], archs: list[int], folder: Path, jobs: int) -> list[Compiled]:
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(compile_one, nvcc, s, a, folder) for s in sources for a in archs]
        return [w.result() for w in waiting]


# ---- names -----------------------------------------------------------------------------------------------------------------------

ACTIVATIONS = re.search(r"enum class ActivationKind\b.*?{ (.*?) }", (ROOT / "kernels/activation.h").read_text())[1].split(", ")
ENUMS = {"Precision": ["fp32", "tf32", "bf16"], "ActivationKind": ACTIVATIONS}


def demangle(names: list[str]) -> dict[str, str]:
    tool = shutil.which("c++filt")
    if not tool or not names:
        return {n: n for n in names}
    plain = subprocess.run([tool], input="\n".join(names), capture_output=True, text=True).stdout.split("\n")
    return {n: readable(p) for n, p in zip(names, plain)}


def readable(name: str) -> str:
    """`matmul 128x128 false false 4` for void gannet::...::matmul_kernel<float, Tile<4, 2, 8, 8>, false, false, 4>(...)."""
    name = re.sub(r"\(anonymous namespace\)::|gannet::|kernels::cuda::|std::", "", name)
    for enum, words in ENUMS.items():
        name = re.sub(rf"\({enum}\)(\d+)", lambda m: words[int(m[1])] if int(m[1]) < len(words) else m[0], name)
    name = re.sub(r"\bStaticActivation<(\w+)>", r"\1", name)
    name = re.sub(r"\bTile<(\d+), (\d+), (\d+), (\d+)>",
                  lambda m: f"{4 * int(m[1]) * int(m[3])}x{8 * int(m[2]) * int(m[4])}", name)
    name = re.sub(r"(\w+)Operands<float, \d+x\d+(, )?", r"\1<", name)
    name = re.sub(r"\bTensorTile<(\d+), (\d+), (\d+), \d+, \d+, \d+>", r"\1x\2x\3", name)
    name = re.sub(r"\((?:unsigned )?(?:int|char|bool|long)\)", "", name)
    name = name.removeprefix("void ")
    depth = 0
    for i, c in enumerate(name):  # the list of parameters begins at the first bracket outside of <>
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            name = name[:i]
            break
    name = re.sub(r"_kernel\b", "", name)
    name = re.sub(r"(, float)+>", ">", re.sub(r"<float(, )?", "<", name)).replace("<>", "")
    return re.sub(r"\s+", " ", re.sub(r"[<>,]", " ", name)).strip()


# ---- output of ptxas -------------------------------------------------------------------------------------------------------------

@dataclass
class Kernel:
    source: Path
    arch: int
    mangled: str
    name: str = ""
    bound_threads: int = 0  # of __launch_bounds__, 0 without
    bound_blocks: int = 0  # minimum blocks per multiprocessor, 0 without
    most_registers: int = 0  # of __maxnreg__, 0 without
    threads: int = 0  # of a launch, 0 if not known
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spills: int = 0
    problems: list[str] = field(default_factory=list)

    def budget(self) -> int:
        """Registers that the launch bounds, or __maxnreg__, leave each thread."""
        if self.most_registers or not self.bound_threads or not self.bound_blocks:
            return self.most_registers or 255
        per_warp = 65536 // 4 // -(-self.bound_blocks * -(-self.bound_threads // 32) // 4)
        return min(255, per_warp // 256 * 256 // 32)

    def occupancy(self) -> float | None:
        m = MULTIPROCESSORS[self.arch]
        return m.resident_warps(self.threads, self.registers, self.shared) / m.warps if self.threads else None


def tile_of(mangled: str) -> tuple[int, int]:
    """Threads of a launch and bytes of dynamic shared memory, from the tile among the template arguments; 0 without a tile."""
    if m := re.search(r"10TensorTileI" + r"Li(\d+)E" * 6, mangled):
        rows, cols, depth, stages, row_warps, col_warps = map(int, m.groups())
        bytes_ = stages * (rows + cols) * depth * 4
        return row_warps * col_warps * 32, bytes_  # always dynamic
    if m := re.search(r"\d4TileILi(\d+)ELi(\d+)E", mangled):
        return int(m[1]) * int(m[2]) * 32, 0
    return 0, 0


def read_kernels(compiled: Compiled) -> list[Kernel]:
    log, ptx = Path(f"{compiled.stem}.log").read_text(), Path(f"{compiled.stem}.ptx").read_text()
    kernels: dict[str, Kernel] = {}
    for entry in re.finditer(r"^(?:\.visible |\.weak )*\.entry (\w+)\(.*?\)\s*((?:\.\w+ [\d, ]+\s*)*)\{(.*?)^\}", ptx, re.M | re.S):
        k = kernels[entry[1]] = Kernel(compiled.source, compiled.arch, entry[1])
        if m := re.search(r"\.maxntid (\d+), (\d+), (\d+)", entry[2]):
            k.bound_threads = int(m[1]) * int(m[2]) * int(m[3])
        if m := re.search(r"\.minnctapersm (\d+)", entry[2]):
            k.bound_blocks = int(m[1])
        if m := re.search(r"\.maxnreg (\d+)", entry[2]):
            k.most_registers = int(m[1])
        if not k.most_registers and not k.bound_blocks:
            k.problems.append("has no register budget: see min_blocks in kernels/cuda/launch.h")
        threads, dynamic = tile_of(k.mangled)
        k.threads = threads or k.bound_threads
        k.shared = dynamic
        if not dynamic and any(symbol in entry[3] for symbol in re.findall(r"^\.extern \.shared .*?(\w+)\[\]", ptx, re.M)):
            k.problems.append("uses dynamic shared memory, of a size that tools/ptxas.py does not know (tile_of)")
    current = None
    for line in log.splitlines():
        if m := re.search(r"Compiling entry function '(\w+)'", line):
            current = kernels[m[1]]
        elif m := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if current:
                current.stack, current.spills = max(current.stack, int(m[1])), current.spills + int(m[2]) + int(m[3])
        elif m := re.search(r"Used (\d+) registers", line):
            current.registers = int(m[1])
            if s := re.search(r"(\d+) bytes smem", line):
                current.shared += int(s[1])
        elif re.search(r"\bwarning\b", line, re.I):
            named = [k for k in kernels.values() if k.mangled in line]
            for k in named or kernels.values():
                k.problems.append(line.replace(k.mangled, "it").strip())
    for k in kernels.values():
        if k.stack:
            k.problems.append(f"{k.stack} bytes of stack in local memory")
        if k.spills:
            k.problems.append(f"{k.spills} bytes of registers spilled")
        if not k.registers:
            k.problems.append("ptxas printed nothing about it")
        if k.registers > k.budget():
            k.problems.append(f"{k.registers} registers, its launch bounds leave {k.budget()}")
    return list(kernels.values())


# ---- printing --------------------------------------------------------------------------------------------------------------------

def print_table(kernels: list[Kernel], archs: list[int]) -> None:
    print("registers per thread, shared memory per block, theoretical occupancy")
    width = min(64, max(len(k.name) for k in kernels))
    print(f"{'kernel':{width}} threads" + "".join(f" {f'sm_{a}':>15}" for a in archs))
    source = None
    rows: dict[tuple, dict[int, Kernel]] = {}
    for k in kernels:
        rows.setdefault((k.source, k.name), {})[k.arch] = k
    for (file, name), by_arch in sorted(rows.items(), key=lambda row: row[0]):
        if file != source:
            source = file
            print(f"{file}")
        first = next(iter(by_arch.values()))
        cells = []
        for a in archs:
            if k := by_arch.get(a):
                share = k.occupancy()
                shared = f"{k.shared / 1024:.1f}K" if k.shared >= 1000 else str(k.shared or "-")
                cells.append(f"{'!' if k.problems else ''}{k.registers}".rjust(5) + shared.rjust(6) +
                             (f"{share:.0%}" if share is not None else "").rjust(5))
            else:
                cells.append("")
        print(f"{name:{width}} {first.threads or '':>7}" + "".join(f"{c:>16}" for c in cells))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archs", default=",".join(map(str, ARCHS)), help="compute capabilities, without the point")
    parser.add_argument("--compact", action="store_true", help="print failures and the last line only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", default="build/ptxas", help="folder for compiled files")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    archs, passed, failed, skipped = [int(a) for a in options.archs.split(",")], 0, 0, 0
    sources = options.files or kernel_files()
    nvcc = find_nvcc()
    if not nvcc:
        print("ptxas: skipped, nvcc is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    known = {int(a) for a in re.findall(r"sm_(\d+)", run([nvcc, "--list-gpu-code"]))}
    for a in archs:
        if a not in MULTIPROCESSORS:
            parser.error(f"sm_{a}: choose from {', '.join(map(str, MULTIPROCESSORS))}")
        if a not in known:
            print(f"ptxas: sm_{a}: skipped, this nvcc does not support it")
            skipped += 1
    archs = [a for a in archs if a in known]

    kernels: list[Kernel] = []
    for compiled in compile_all(nvcc, sources, archs, ROOT / options.build, options.jobs):
        if compiled.error:
            failed += 1
            said = compiled.error.splitlines()[:20]
            print(f"ptxas: {compiled.source}, sm_{compiled.arch}: FAILED to compile", *said, sep="\n    ")
        else:
            kernels += read_kernels(compiled)
    names = demangle(sorted({k.mangled for k in kernels}))
    for k in kernels:
        k.name = names[k.mangled]
    if kernels and not options.compact:
        print_table(kernels, archs)
    for k in kernels:
        if k.problems:
            print(f"ptxas: {k.source}: {k.name}, sm_{k.arch}: FAILED: {'; '.join(dict.fromkeys(k.problems))}")
    bad = sum(bool(k.problems) for k in kernels)
    print(f"{passed + len(kernels) - bad} passed, {failed + bad} failed, {skipped} skipped")
    return 1 if failed + bad else 0


if __name__ == "__main__":
    sys.exit(main())
