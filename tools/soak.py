#!/usr/bin/env python3
"""Checks that the speed and memory of a long training, with a log row for every step, stay constant: `make soak MINUTES=20`.

The run is sampled once per second. Three values of its second fifth are compared with those of its last fifth: CPU time per step,
memory, and the pause for samples and plots (the time between the row of a step with pictures and the next row; the lower
quartile, because other load affects it least). Each may grow by 10 %. Then the run is interrupted, and resumed for some steps.
The last line is `N passed, N failed, N skipped`.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

EVERY = 200  # steps between samples
SETTINGS = ["log_every=1", "observe.every=10", f"samples.every={EVERY}", "checkpoint_every=30"]
TICKS = os.sysconf("SC_CLK_TCK")


def watch(pid):
    """CPU time in seconds, resident MB and number of open files of a process, or None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            resident = re.search(r"VmRSS:\s+(\d+)", f.read())
        return (int(fields[11]) + int(fields[12])) / TICKS, int(resident[1]) / 1024, len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, TypeError):
        return None


def rows(log):
    """(step, seconds) of the rows that have both. Rows are long, so only these two are parsed."""
    pattern = re.compile(rb'^\{"step": (\d+),.*"seconds": ([\d.e+-]+)\}')
    with open(log, "rb") as f:
        for line in f:
            if found := pattern.match(line):
                yield int(found[1]), float(found[2])


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--apps", default=f"{top}/apps")
    line.add_argument("--model", default=f"{top}/models/ring.json")
    line.add_argument("--minutes", type=float, default=20)
    line.add_argument("--limit", type=float, default=1.1, help="allowed growth factor")
    options = line.parse_args()
    work = tempfile.mkdtemp(prefix="gannet-soak-")
    run, failed, passed = f"{work}/run", 0, 0

    def check(name, holds, text):
        nonlocal failed, passed
        passed, failed = passed + bool(holds), failed + (not holds)
        print(f"{'ok' if holds else 'FAILED'}: {name}: {text}", flush=True)

    def start(*arguments):
        command = [f"{options.apps}/train", *arguments, "--device", "cpu", "--threads", "1"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    try:
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        program = start(options.model, *settings, "--steps", "100000000", "--out", run)
        begin, seen = time.monotonic(), []
        while time.monotonic() - begin < options.minutes * 60 and program.poll() is None:
            time.sleep(1)
            if now := watch(program.pid):
                seen.append((time.monotonic() - begin, *now))
        program.send_signal(signal.SIGTERM)  # SIGINT may be ignored, as in background jobs
        status = program.wait()
        check("interrupt", status == 130, f"status {status} after {time.monotonic() - begin:.0f} s")

        steps = list(rows(f"{run}/log.jsonl"))
        whole = steps[-1][1]
        pauses = [(a[1], b[1] - a[1]) for a, b in zip(steps, steps[1:]) if a[0] % EVERY == 0]

        def fifth(things, number):
            return [thing for thing in things if (number - 1) * whole / 5 <= thing[0] <= number * whole / 5]

        def compare(name, unit, of):
            early, late = of(2), of(5)
            check(name, late <= options.limit * early, f"{early:.4g} {unit} in the second fifth, {late:.4g} in the last ({late / early:.2f})")

        def processor(number):
            part = fifth(seen, number)
            done = sum(1 for step in steps if part[0][0] <= step[1] <= part[-1][0])
            return 1000 * (part[-1][1] - part[0][1]) / max(1, done)

        compare("CPU time of a step, including pictures", "ms", processor)
        compare("pause for samples and plots", "ms", lambda n: 1000 * statistics.quantiles([p[1] for p in fifth(pauses, n)], n=4)[0])
        compare("memory", "MB", lambda n: max(s[2] for s in fifth(seen, n)))
        compare("open files", "files", lambda n: max(s[3] for s in fifth(seen, n)))
        size = os.path.getsize(f"{run}/log.jsonl")
        rates = [len(fifth([(s[1],) for s in steps], n)) / (whole / 5) for n in range(1, 6)]
        print(f"{steps[-1][0]:,} steps, {len(pauses):,} pictures, a log of {size / 1e6:.0f} MB; steps per second in each fifth: "
              + ", ".join(f"{rate:.0f}" for rate in rates))

        begin, before = time.monotonic(), steps[-1][0]
        program = start("--resume", run, "--steps", str(before + EVERY))
        memory = 0
        while program.poll() is None:
            time.sleep(0.1)
            memory = max(memory, (watch(program.pid) or (0, 0, 0))[1])
        last = json.loads(subprocess.run(["tail", "-n", "1", f"{run}/log.jsonl"], capture_output=True, check=True).stdout)["step"]
        check("resumed", program.returncode == 0 and last == before + EVERY, f"status {program.returncode}, row {last:,} after {before:,}, "
              f"{time.monotonic() - begin:.1f} s")
        most = max(s[2] for s in seen)
        check("memory of the resumed run", memory <= options.limit * most, f"{memory:.1f} MB, {most:.1f} before")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
