"""Parses the output of nvdisasm: the kernels of a cubin, their instructions and their innermost loops. Module of sass.py."""
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

INSTRUCTION_BYTES = 16


@dataclass
class Instruction:
    address: int
    guard: str  # "@!P0", "" if it is always executed
    opcode: str  # "LDG.E.128"
    operands: str


@dataclass
class Code:
    """One kernel."""
    mangled: str
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)  # the index of the next instruction


def disassemble(nvdisasm: str, cubin: Path) -> list[Code]:
    done = subprocess.run([nvdisasm, "-c", str(cubin)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{nvdisasm} {cubin}: {done.stderr}")
    kernels: list[Code] = []
    for line in done.stdout.splitlines():
        if m := re.match(r"\.text\.(\w+):", line):
            kernels.append(Code(m[1]))
        elif m := re.match(r"([.$\w]+):", line):
            if kernels:
                kernels[-1].labels[m[1]] = len(kernels[-1].instructions)
        elif m := re.match(r"\s*/\*([0-9a-f]+)\*/\s+(?:(@!?\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;", line):
            kernels[-1].instructions.append(Instruction(int(m[1], 16), m[2] or "", m[3], m[4]))
        elif re.match(r"\s*/\*[0-9a-f]+\*/", line):
            raise RuntimeError(f"{cubin}: an instruction that cannot be read: {line.strip()}")
    return kernels


# ---- loops -----------------------------------------------------------------------------------------------------------------------

def successors(code: Code, i: int) -> list[int]:
    op = code.instructions[i]
    base = op.opcode.split(".")[0]
    following = [i + 1] if i + 1 < len(code.instructions) else []
    jumps = base in ("BRA", "BRX", "JMP", "JMX", "CALL")  # some loops exit by a call to a label of the same kernel
    targets = [code.labels[name] for name in re.findall(r"\.L_x_\d+", op.operands)] if jumps else []
    leaves = base in ("BRX", "JMX", "EXIT", "RET", "KILL") or (base in ("BRA", "JMP") and op.operands.startswith("`"))
    return targets + ([] if leaves and not op.guard else following)


def loops(code: Code) -> list[list[Instruction]]:
    """Returns the innermost loops with all their instructions: the natural loops of the graph's back edges, merged by head,
    without loops that contain another loop. Out-of-line code belongs to the loop that jumps there and back."""
    size = len(code.instructions)
    after = [successors(code, i) for i in range(size)]
    before: list[list[int]] = [[] for _ in range(size)]
    for i, nexts in enumerate(after):
        for n in nexts:
            before[n].append(i)
    # Basic blocks.
    leaders = sorted({0} | {n for i, nexts in enumerate(after) if nexts != [i + 1] for n in nexts} |
                     {i + 1 for i, nexts in enumerate(after) if nexts != [i + 1] and i + 1 < size})
    block_of, blocks = [0] * size, []
    for b, first in enumerate(leaders):
        end = leaders[b + 1] if b + 1 < len(leaders) else size
        blocks.append((first, end))
        block_of[first:end] = [b] * (end - first)
    following = [sorted({block_of[n] for n in after[end - 1]}) for _, end in blocks]
    preceding: list[list[int]] = [[] for _ in blocks]
    for b, nexts in enumerate(following):
        for n in nexts:
            preceding[n].append(b)
    # Dominators, as bit sets.
    everything = (1 << len(blocks)) - 1
    dominators = [1] + [everything] * (len(blocks) - 1)
    changed = True
    while changed:
        changed = False
        for b in range(1, len(blocks)):
            common = everything
            for p in preceding[b]:
                common &= dominators[p]
            if (new := common | 1 << b) != dominators[b]:
                dominators[b], changed = new, True
    # Natural loops.
    bodies: dict[int, set[int]] = {}
    for latch, nexts in enumerate(following):
        for head in nexts:
            if dominators[latch] >> head & 1 and dominators[latch] != everything:
                body, waiting = bodies.setdefault(head, {head}), [latch]
                while waiting:
                    b = waiting.pop()
                    if b not in body:
                        body.add(b)
                        waiting += preceding[b]
    innermost = [body for head, body in bodies.items() if not any(other != head and other in body for other in bodies)]
    return [[op for b in sorted(body) for op in code.instructions[slice(*blocks[b])]] for body in innermost]


def count(instructions: list[Instruction], *opcodes: str) -> int:
    """Counts the instructions with one of these names and any modifiers. Instructions with the guard @!PT are never executed and
    are not counted."""
    return sum(op.opcode.split(".")[0] in opcodes and op.guard != "@!PT" for op in instructions)


def main_loop(code: Code, opcode: str) -> list[Instruction]:
    """Returns the innermost loop with the most instructions named `opcode`."""
    return max(loops(code), key=lambda body: count(body, opcode), default=[])
