#!/usr/bin/env python3
"""Checks the machine code of every kernel for sm_80, and in detail that of the most important kernels.

usage: sass.py [--build build] [--loops] [FILE.cu ...]

It checks that no kernel uses local memory. Tiles of matrix products and convolutions, and the dot products of few filters, must
read global and shared memory 16 bytes at a time. Their main loop, the innermost loop with the most multiplications, must be at
most 16 KB and have a minimum share of FFMA or HMMA instructions. The table has the instruction counts and limits, next to those
of CUTLASS's kernels (measured, sm_80). nvdisasm is installed from PyPI into a separate virtual environment in --build. --loops
prints the other instructions of the main loops. The last line is `N passed, N failed, N skipped`.
"""
import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import ptxas
import sass_loops
from sass_loops import Code, Instruction, count

ARCH = 80
LOOP_BYTES = 16 << 10
PACKAGES = ["nvidia-cuda-nvdisasm>=13,<14", "nvidia-cuda-cuobjdump>=13,<14"]


@dataclass
class Tile:
    """Limits of kernels with a matching readable name (ptxas.py). `share` is the share of FFMA among the instructions of the main
    loop; `per_hmma` is the number of the main loop's instructions for each HMMA. Values with limit None are only printed."""
    pattern: str
    multiply: str
    wide_global: bool = True
    share: float | None = None
    per_hmma: float | None = None
    registers: int | None = None
    cutlass: str = ""


# The first matching rule applies. A rule with limits must match a kernel.
FAMILIES = "(matmul|conv2d|conv2d_dgrad|conv2d_wgrad)"
TILES = [
    Tile(r"matmul 128x128 ", "FFMA", share=0.85, registers=168, cutlass="81.1 % (512 of 631), 130 registers"),
    Tile(r"conv2d 128x128 ", "FFMA", share=0.80, registers=168, cutlass="76.5 %, 130 registers"),
    Tile(r"conv2d_dgrad 128x128 ", "FFMA", share=0.78, registers=168, cutlass="73.9 %, 200 registers (strided)"),
    Tile(r"conv2d_wgrad 128x128 ", "FFMA", share=0.70, registers=168, cutlass="63.4 %, 129 registers"),
    Tile(FAMILIES + r" \d+x\d+ (?!Few).*(?<!1)$", "FFMA"),
    Tile(FAMILIES + r" \d+x\d+ ", "FFMA", wide_global=False),  # odd sizes, few channels or filters: scalar loads
    Tile(r"conv2d_few_outputs [1-4] 4 ", "FFMA"),  # dot products: an image is read once for few filters
    Tile(r"matmul_tensor tf32 128x128x", "HMMA", per_hmma=4.5, registers=226, cutlass="4.8 (305 for 64), 226 registers"),
    Tile(r"matmul_tensor ", "HMMA"),
]


def find_nvdisasm(build: Path) -> str | None:
    """Returns nvdisasm of the virtual environment, which is created if needed, or otherwise that of the CUDA toolkit."""
    venv = build / "sass-venv"

    def installed() -> str | None:
        return next((str(p) for p in venv.glob("lib/python*/site-packages/nvidia/*/bin/nvdisasm")), None)

    if not installed():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
            pip = [str(venv / "bin/pip"), "--quiet", "--disable-pip-version-check", "--retries", "1"]
            subprocess.run([*pip, "install", *PACKAGES], check=True, capture_output=True)
        except (subprocess.CalledProcessError, OSError) as e:
            said = (getattr(e, "stderr", None) or str(e).encode()).decode().strip().splitlines()
            print(f"sass: no nvdisasm from PyPI: {said[-1] if said else e}")
    return installed() or shutil.which("nvdisasm")


class Report:
    def __init__(self):
        self.passed, self.failures = 0, []

    def check(self, good: bool, kernel: str, what: str) -> bool:
        if good:
            self.passed += 1
        else:
            self.failures.append(f"sass: {kernel}: FAILED: {what}")
        return good


def is_wide_global(op: Instruction) -> bool:
    return op.opcode.split(".")[0] in ("LDG", "LDGSTS") and "128" in op.opcode.split(".")


def is_wide_shared(op: Instruction) -> bool:
    """LDSM with M88.4 is the matrix load, in which each lane's address points to 16 bytes."""
    return re.match(r"LDS\.(U\.)?128$|LDSM\..*M88\.4$", op.opcode) is not None


def check_tile(kernel: ptxas.Kernel, code: Code, tile: Tile, report: Report) -> list[Instruction]:
    """Prints the tile's row of the table."""
    name, body = kernel.name, sass_loops.main_loop(code, tile.multiply)
    products = count(body, tile.multiply)
    if not report.check(products > 0, name, f"no loop has {tile.multiply} instructions"):
        return body
    size = len(body) * sass_loops.INSTRUCTION_BYTES
    ratio = products / len(body) if tile.multiply == "FFMA" else len(body) / products
    good = [report.check(size <= LOOP_BYTES, name, f"the main loop has {size} bytes, at most {LOOP_BYTES} are allowed")]
    if tile.share:
        good.append(report.check(ratio >= tile.share, name, f"{ratio:.1%} of the main loop are FFMA, at least {tile.share:.0%}"))
    if tile.per_hmma:
        good.append(report.check(ratio <= tile.per_hmma, name, f"{ratio:.2f} instructions per HMMA, at most {tile.per_hmma}"))
    if tile.registers:
        few = kernel.registers <= tile.registers
        good.append(report.check(few, name, f"{kernel.registers} registers, at most {tile.registers} are allowed"))
    loads = [("shared", is_wide_shared, ("LDS", "LDSM"))] + [("global", is_wide_global, ("LDG", "LDGSTS"))] * tile.wide_global
    for what, is_wide, opcodes in loads:
        wide, every = sum(map(is_wide, body)), count(body, *opcodes)
        good.append(report.check(0 < wide == every, name, f"{wide} of {every} {what} loads in the main loop are 16 bytes wide"))
    limit = f">= {tile.share:.0%}" if tile.share else f"<= {tile.per_hmma}" if tile.per_hmma else ""
    shown = f"{ratio:.1%}" if tile.multiply == "FFMA" else f"{ratio:.2f} each"
    print_row(name, len(body), f"{products} {tile.multiply}", shown, limit, f"{size / 1024:.1f}K", count(body, "LDG", "LDGSTS"),
              count(body, "LDS", "LDSM"), kernel.registers, "ok" if all(good) else "FAILED", tile.cutlass)
    return body


def print_row(*columns) -> None:
    print("{:44} {:>7} {:>9} {:>10} {:>7} {:>6} {:>6} {:>6} {:>5}  {:6} {}".format(*columns).rstrip())


def print_loop(body: list[Instruction]) -> None:
    rest = Counter(op.opcode for op in body).most_common()
    print("    " + ", ".join(f"{n} {opcode}" for opcode, n in rest))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="folder for the virtual environment and compiled files")
    parser.add_argument("--loops", action="store_true", help="print the instructions of the main loops")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    build = ptxas.ROOT / options.build
    nvcc = ptxas.find_nvcc()
    if not nvcc:
        print("sass: skipped, nvcc is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    nvdisasm = find_nvdisasm(build)
    if not nvdisasm:
        print("sass: skipped, nvdisasm is not installed, and pip could not install it\n0 passed, 0 failed, 1 skipped")
        return 0

    report, found = Report(), []
    for compiled in ptxas.compile_all(nvcc, options.files or ptxas.kernel_files(), [ARCH], build / "ptxas", options.jobs):
        if not report.check(not compiled.error, str(compiled.source), f"does not compile\n{compiled.error}"):
            continue
        codes = {c.mangled: c for c in sass_loops.disassemble(nvdisasm, Path(f"{compiled.stem}.cubin"))}
        found += [(k, codes[k.mangled]) for k in ptxas.read_kernels(compiled)]
    names = ptxas.demangle(sorted({k.mangled for k, _ in found}))
    for k, _ in found:
        k.name = names[k.mangled]
    found.sort(key=lambda f: (f[0].source, f[0].name))
    print_row("main loop on sm_80", "instr.", "products", "", "limit", "bytes", "global", "shared", "regs.", "", "CUTLASS")
    matched = set()
    for kernel, code in found:
        tile = next((t for t in TILES if re.match(t.pattern, kernel.name)), None)
        if tile:
            matched.add(tile.pattern)
            body = check_tile(kernel, code, tile, report)
            if options.loops:
                print_loop(body)
        local = count(code.instructions, "LDL", "STL")
        report.check(local == 0, kernel.name, f"{local} loads and stores of local memory")
    for tile in TILES:
        if not options.files and (tile.share or tile.per_hmma):
            report.check(tile.pattern in matched, tile.pattern, "no kernel has a matching name")
    print(f"{len(found)} kernels, {sum(len(c.instructions) for _, c in found)} instructions")
    for failure in report.failures:
        print(failure)
    print(f"{report.passed} passed, {len(report.failures)} failed, 0 skipped")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
