"""The possible states of a program's files after a power cut, from the journal that tools/crash/shim.cpp records.

A file system guarantees only synced data: the bytes of a file after its fsync, and the entries of a folder after its fsync.
After each recorded call there are three states:

    lost    only synced data: new entries are missing, renames are undone, files are as of their last fsync
    ahead   entries are current, files are as of their last fsync (a new file is empty)
    torn    the same, with half of the bytes that were appended since

A disk may also reorder writes within a file. This is not modelled, because the program syncs whole files before it renames them.
"""
import os
import shutil
import struct

O_ACCMODE, O_CREAT, O_TRUNC = 3, 0o100, 0o1000
EXCHANGE = 2  # of renameat2
CHECKPOINT = "checkpoint.safetensors"


class File:
    def __init__(self, data=b""):
        self.data, self.synced = data, data

    def cut(self, kind):
        if kind == "lost":
            return self.synced
        if self.data.startswith(self.synced):
            rest = self.data[len(self.synced):]
            return self.synced + (rest[: len(rest) // 2] if kind == "torn" else b"")
        return self.data if self.synced.startswith(self.data) else b""


class Folder:
    def __init__(self):
        self.entries, self.synced = {}, {}


def from_disk(path):
    folder = Folder()
    for entry in os.scandir(path):
        if entry.is_dir():
            folder.entries[entry.name] = from_disk(entry.path)
        else:
            with open(entry.path, "rb") as f:
                folder.entries[entry.name] = File(f.read())
    folder.synced = dict(folder.entries)
    return folder


def to_disk(state, path, before):
    """Writes a state. A file that existed `before` keeps its mode."""
    os.makedirs(path, exist_ok=True)
    for name, content in state.items():
        here, there = os.path.join(path, name), os.path.join(before, name)
        if isinstance(content, dict):
            to_disk(content, here, there)
        else:
            with open(here, "wb") as f:
                f.write(content)
            if os.path.exists(there):
                shutil.copymode(there, here)


def records(path):
    head = struct.Struct("<c4q")
    with open(path, "rb") as f:
        while chunk := f.read(head.size):
            call, descriptor, number, first, second = head.unpack(chunk)
            yield call.decode(), descriptor, number, f.read(first), f.read(second)


class Disk:
    """The files below `root`: their current and their synced content."""

    def __init__(self, root, before):
        self.root, self.top = os.path.realpath(root), from_disk(before)
        self.open = {}  # descriptor -> node
        self.saved, self.promised = [], -1  # the renamed checkpoints, and the last one that must survive

    def place(self, path):
        """The folder and the name of a path, or None if it is outside."""
        full = os.path.normpath(os.path.join(self.root, os.fsdecode(path)))
        if full == self.root:
            return None, ""
        if not full.startswith(self.root + "/"):
            return None, None
        *folders, name = full[len(self.root) + 1:].split("/")
        node = self.top
        for folder in folders:
            node = node.entries[folder]
        return node, name

    def node(self, path):
        folder, name = self.place(path)
        return self.top if name == "" else folder and folder.entries.get(name)

    def promise(self):
        """Marks the last checkpoint as one that must survive, because the program has continued or ended."""
        self.promised = len(self.saved) - 1

    def apply(self, call, descriptor, number, first, second):
        if call == "!":
            raise ValueError(f"powercut.py does not model the call {os.fsdecode(first)}")
        if call in "wr":
            self.promise()
        if call == "o":
            folder, name = self.place(first)
            node = self.node(first)
            if node is None and folder and number & O_CREAT:
                node = folder.entries[name] = File()
            if isinstance(node, File) and number & O_TRUNC:
                node.data = b""
            self.open[descriptor] = node
        elif call == "c":
            self.open.pop(descriptor, None)
        elif call == "w" and (node := self.open.get(descriptor)):
            node.data = node.data[:number].ljust(number, b"\0") + first + node.data[number + len(first):]
        elif call == "f" and (node := self.open.get(descriptor)):
            if isinstance(node, File):
                node.synced = node.data
            else:
                node.synced = dict(node.entries)
        elif call == "t" and (node := self.node(first) if first else self.open.get(descriptor)):
            node.data = node.data[:number].ljust(number, b"\0")
        elif call == "m":
            folder, name = self.place(first)
            if folder:
                folder.entries[name] = Folder()
        elif call == "u":
            folder, name = self.place(first)
            if folder:
                del folder.entries[name]
        elif call in "rk":
            (a, old), (b, new) = self.place(first), self.place(second)
            if not (a and b):
                return
            node, other = a.entries[old], b.entries.get(new)
            if call == "r":
                del a.entries[old]
                if number & EXCHANGE:
                    a.entries[old] = other
            b.entries[new] = node
            # A folder whose name starts with a dot is not a run yet.
            if new == CHECKPOINT and not os.path.basename(os.path.dirname(second)).startswith(b"."):
                self.saved.append(node.data)
            elif isinstance(node, Folder) and CHECKPOINT in node.entries and not new.startswith("."):
                self.saved.append(node.entries[CHECKPOINT].data)

    def state(self, kind, node=None):
        node = node or self.top
        entries = node.synced if kind == "lost" else node.entries
        return {
            name: self.state(kind, inner) if isinstance(inner, Folder) else inner.data if kind == "now" else inner.cut(kind)
            for name, inner in entries.items()
        }

    def keeps_promise(self, state):
        """Whether a state has a checkpoint that is not older than the last one that must survive."""
        def checkpoints(folder):
            for name, inner in folder.items():
                if isinstance(inner, dict):
                    yield from checkpoints(inner)
                elif name == CHECKPOINT:
                    yield inner
        return self.promised < 0 or any(c in self.saved[self.promised:] for c in checkpoints(state))


def frozen(state):
    return tuple(sorted((name, frozen(c) if isinstance(c, dict) else c) for name, c in state.items()))


def cuts(root, before, journal):
    """Yields (number of the call, letter, kind, whether the required checkpoint exists, state) for a program that ran in `root`
    with the content `before`, each state once; then the states after it has ended with status 0, ending with "lost"; finally
    (None, "", "now", True, the expected final state)."""
    disk, seen = Disk(root, before), set()
    for number, (call, *rest) in enumerate(records(journal), 1):
        disk.apply(call, *rest)
        for kind in ("lost", "ahead", "torn"):
            state = disk.state(kind)
            key = hash((frozen(state), disk.promised))
            if key not in seen:
                seen.add(key)
                yield number, call, kind, disk.keeps_promise(state), state
    disk.promise()
    for kind in ("torn", "ahead", "lost"):
        state = disk.state(kind)
        yield None, "exit", kind, disk.keeps_promise(state), state
    yield None, "", "now", True, disk.state("now")
