"""Compares the files that a command wrote with those of an undisturbed run."""
import json
import os
import re

# Files that may remain: another entry of the cache, and an empty .lock in a folder that cannot be locked (flock fails, as on
# NFS).
HARMLESS = re.compile(r"cache/gannet/[0-9a-f]{16}\.images|runs/\w+/\.lock")
DIFFERS = ("seconds", "img_per_s")  # keys that may differ in a resumed run's log


def content(path):
    """The content of a file for comparison: a log without keys that may differ."""
    with open(path, "rb") as f:
        data = f.read()
    if os.path.basename(path) != "log.jsonl":
        return data
    try:
        rows = [json.loads(line) for line in data.decode().splitlines()]
        return [{k: v for k, v in row.items() if k not in DIFFERS} for row in rows]
    except ValueError:
        return data


def tree(folder):
    """All files and folders below, by their path; folders end in a slash and have no content."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(top, name), folder) + "/"] = None
        for name in files:
            path = os.path.join(top, name)
            found[os.path.relpath(path, folder)] = content(path)
    return found


def differences(got, want):
    """The differences between two trees, as a list of texts."""
    got = {name: c for name, c in got.items() if name in want or not HARMLESS.fullmatch(name)}
    texts = [f"{name} is left over" for name in got.keys() - want.keys()] + [f"{name} is missing" for name in want.keys() - got.keys()]
    for name in sorted(got.keys() & want.keys()):
        a, b = got[name], want[name]
        if a == b:
            continue
        if isinstance(a, list) and isinstance(b, list):
            row = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            texts.append(f"{name} differs from row {row + 1} of {len(b)} on ({len(a)} rows)")
        else:
            texts.append(f"{name} differs")
    return texts


def step_in(name):
    """The step of a trace's array."""
    return int(re.match(r"s(-?\d+)\.", name)[1])


def arrays_of(data):
    """The arrays of a trace as name -> (type, shape, bytes), and its metadata; None if the file is not whole. The state before
    its first step (init.*) gets the name that it has after the step before that (sN.after.*)."""
    if not data or len(data) < 8:
        return None
    start = 8 + int.from_bytes(data[:8], "little")
    try:
        entries = json.loads(data[8:start])
    except ValueError:
        return None
    metadata = entries.pop("__metadata__", None)
    if len(data) != start + max(entry["data_offsets"][1] for entry in entries.values()):
        return None
    before = min(step_in(name) for name in entries if not name.startswith("init.")) - 1
    arrays = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        arrays[re.sub(r"^init\.", f"s{before}.after.", name)] = (entry["dtype"], entry["shape"], data[start + begin:start + end])
    return arrays, metadata


def trace_differences(name, got, want, all_steps):
    """The faults in a trace of a run that may have been resumed. It must have as many steps as `want`, or all steps to the end.
    Each array must equal that of `all_steps`, the trace of every step of an undisturbed run."""
    (arrays, metadata), (wanted, wanted_metadata), (known, _) = (arrays_of(data) for data in (got, want, all_steps))
    steps, wanted_steps, known_steps = (sorted({step_in(array) for array in some}) for some in (arrays, wanted, known))
    before = steps[0]
    if steps != [step for step in known_steps if before <= step < before + len(wanted_steps)]:
        return [f"{name} has the steps {steps[1:]}"]
    expected = {array for array in known if step_in(array) in steps[1:] or array.startswith(f"s{before}.after.")}
    texts = [f"{name}: {array} is missing or too many" for array in sorted(expected ^ arrays.keys())]
    texts += [f"{name}: {array} differs" for array in sorted(expected & arrays.keys()) if arrays[array] != known[array]]
    return texts + ([f"{name}: its metadata differ"] if metadata != wanted_metadata else [])
