#!/usr/bin/env python3
"""Interrupts trainings and other commands, repeats them until they are done, and compares all files with those of an undisturbed
run. `make crash` runs it; docs/reliability.md has the results. The parts are:

    kill       kill -9 at each system call that changes a file: before it, after it, and in the middle of a write
    random     kill -9 at random moments, repeated until the command is done
    signal     SIGINT, SIGTERM, SIGHUP or SIGUSR1 at random moments, after which a training finishes the step and saves
    fail       each call that changes a file fails, once or permanently, with each possible error; writes accept half of the bytes
    read       each open for reading and each read fails
    power      power cuts: after each call, the possible states of the disk
    full       a full file system: a tmpfs of every size in pages and of every number of files (needs root), enlarged afterwards
    limit      every limit on file sizes (ulimit -f) in steps of 512 bytes, lifted afterwards
    output     stdout, stderr or both are full or closed
    none       commands that write nothing make no call that changes a file

Each part except `none` tries each command (--case), apart from the pairs in OMITTED.

--tries N runs at most N tries of each part and command (0: all of them), drawn at random. Each try is one check.
The last line is `N passed, N failed, N skipped`.
"""
import argparse
import collections
import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cases as crash_cases
import compare
import powercut

ERRORS = {  # the errors of each call
    "o": "ENOSPC EACCES EMFILE EROFS", "w": "ENOSPC EIO EFBIG EDQUOT", "f": "EIO ENOSPC", "r": "ENOSPC EACCES EIO", "u": "EACCES",
    "m": "ENOSPC EACCES EROFS", "t": "EIO", "c": "EIO ENOSPC", "l": "ENOLCK EOPNOTSUPP", "h": "EPERM", "k": "EPERM", "x": "EMFILE EIO",
    "R": "EIO",
}
# Pairs of part and command that are not tried, with the reason.
OMITTED = {("full", "clear"): "it needs no space", ("limit", "clear"): "it writes no file"}


def spread(tries, most, seed):
    """A random subset of at most `most` items, in the list's order. The same arguments give the same subset."""
    if not most or len(tries) <= most:
        return tries
    return [tries[i] for i in sorted(random.Random(seed).sample(range(len(tries)), most))]


class Crash:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.counts = collections.defaultdict(lambda: [0, 0])  # (part, case) -> passed, failed
        self.skipped, self.shown, self.lock = 0, 0, threading.Lock()
        self.files = crash_cases.models(f"{work}/models")
        self.cases = crash_cases.make_cases(options.apps, options.shim, work, self.files)

    def report(self, part, case, what, wrong):
        with self.lock:
            self.counts[part, case.name][bool(wrong)] += 1
            if wrong and (self.shown < self.options.show or not self.options.show):
                print(f"FAILED: {part} {case.name}, {what}: {'; '.join(wrong)}", flush=True)
            self.shown += bool(wrong)

    def each(self, part, tries_of, attempt):
        """Runs attempt(case, try, folder), which returns faults, for all tries of a case, each in its own folder."""
        for case in self.cases.values():
            if self.options.case and case.name not in self.options.case:
                continue
            if reason := OMITTED.get((part, case.name)):
                print(f"{part:7}{case.name:11}omitted: {reason}")
                continue
            begin = time.monotonic()
            tries = spread(tries_of(case), self.options.tries, f"{part} {case.name}")

            def one(number_and_try, case=case):
                number, what = number_and_try
                cwd = f"{self.work}/{part}-{case.name}-{number}"
                try:
                    wrong = attempt(case, what, cwd)
                except Exception as error:
                    wrong = [f"crash.py itself: {error!r}"]
                label = " ".join(str(w) for w in what if not isinstance(w, dict)) if isinstance(what, tuple) else str(what)
                self.report(part, case, label, wrong)
                shutil.rmtree(cwd, ignore_errors=True)

            with ThreadPoolExecutor(self.options.jobs) as pool:
                list(pool.map(one, enumerate(tries)))
            passed, failed = self.counts[part, case.name]
            print(f"{part:7}{case.name:11}{passed:6} passed {failed:5} failed {time.monotonic() - begin:7.1f} s", flush=True)

    # ---- the parts ----------------------------------------------------------------------------------------------------

    def kill(self):
        def tries(case):
            calls = crash_cases.calls_of(case, f"{self.work}/calls")
            return [(how, number, letter, path) for number, (letter, path) in enumerate(calls, 1)
                    for how in ("kill-before", "kill-after") + (("kill-middle",) if letter == "w" else ())]

        def attempt(case, what, cwd):
            how, number, *_ = what
            case.start(cwd)
            status, *_ = case.run(cwd, at=number, do=how)
            return [f"not killed, status {status}"] if status != -signal.SIGKILL else case.finish(cwd)

        self.each("kill", tries, attempt)

    def struck(self, part, signals):
        """Sends a signal to runs at random moments, up to six times, then lets them finish."""
        def attempt(case, what, cwd):
            draw = random.Random(f"{part} {case.name} {what}")
            case.start(cwd)
            wrong = []
            for _ in range(6):
                with case.started(cwd) as program:
                    try:
                        status = program.wait(draw.uniform(0, case.seconds))
                    except subprocess.TimeoutExpired:
                        sent = draw.choice(signals)
                        program.send_signal(sent)
                        status = program.wait(60)
                        if status not in (0, 130, -sent):  # -sent: killed before the handler is installed
                            wrong.append(f"{sent.name}: status {status}")
                if status == 0:
                    break
            return wrong + case.finish(cwd)

        kills = max(1, self.options.kills // len(self.cases))
        self.each(part, lambda case: list(range(kills)), attempt)

    def random(self):
        self.struck("random", [signal.SIGKILL])

    def signal(self):
        self.struck("signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])

    def failing(self, part, which, hows):
        def tries(case):
            calls = crash_cases.calls_of(case, f"{self.work}/calls", which)
            found = [(how, number, letter, path, name) for number, (letter, path) in enumerate(calls, 1) for how in hows
                     for name in ERRORS[letter].split()]
            return found + [("short", number, letter, path, "EIO") for number, (letter, path) in enumerate(calls, 1) if letter == "w"]

        def attempt(case, what, cwd):
            how, number, letter, path, name = what
            case.start(cwd)
            options = {"calls": which} if which else {}
            status, _, err = case.run(cwd, at=number, do=how, errno=getattr(errno, name), **options)
            # This file is removed when the next entry of the cache is written.
            excused = [f"{case.stale} is left over"] if letter in "uxl" and path in (case.stale, os.path.dirname(case.stale or "")) else []
            if letter == "h" and how == "fail":
                excused += [f"{name} has another mode" for name in case.modes]  # allowed if chmod fails
            return case.refused(status, err) + [text for text in case.finish(cwd) if text not in excused]

        self.each(part, tries, attempt)

    def fail(self):
        self.failing("fail", "", ("fail", "fail-on"))

    def read(self):
        self.failing("read", "xR", ("fail", "fail-on"))

    def power(self):
        def tries(case):
            journal = f"{self.work}/journal"
            if os.path.exists(journal):
                os.unlink(journal)
            cwd = f"{self.work}/power"
            case.start(cwd)
            case.run(cwd, journal=journal)
            found = list(powercut.cuts(cwd, case.template, journal))
            return spread(found[:-2], self.options.tries and max(1, self.options.tries - 2), case.name) + found[-2:]

        def attempt(case, what, cwd):
            _, _, kind, kept, state = what
            if kind == "now":  # checks that the journal has recorded every change
                powercut.to_disk(state, cwd, case.template)
                return compare.differences(compare.tree(cwd), compare.tree(f"{self.work}/power"))
            powercut.to_disk(state, cwd, case.template)
            return ([] if kept else ["a checkpoint that was saved is lost"]) + case.finish(cwd)

        self.each("power", tries, attempt)

    def full(self):
        probe = f"{self.work}/probe"
        os.makedirs(probe)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "crash", probe], stderr=subprocess.DEVNULL, check=False).returncode:
            print("full   skipped: a tmpfs cannot be mounted (not root)")
            self.skipped += 1
            return
        subprocess.run(["umount", probe], check=True)

        def tries(case):
            pages = sum(1 + os.path.getsize(os.path.join(top, name)) // 4096 for top, _, files in os.walk(case.whole) for name in files)
            files = sum(len(files) + len(folders) for _, folders, files in os.walk(case.whole))
            return [(f"size={4 * n}k",) for n in range(1, pages + 8)] + [(f"size=64m,nr_inodes={n}",) for n in range(2, files + 4)]

        def attempt(case, what, cwd):
            os.makedirs(cwd)
            subprocess.run(["mount", "-t", "tmpfs", "-o", what[0], "crash", cwd], check=True)
            try:
                try:
                    shutil.copytree(case.template, cwd, dirs_exist_ok=True)
                except (OSError, shutil.Error):
                    return []  # too small for the command's input files
                status, _, err = case.run(cwd)
                wrong = case.refused(status, err)
                subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=10000", cwd], check=True)
                return wrong + case.finish(cwd)
            finally:
                subprocess.run(["umount", "--lazy", cwd], check=False)  # a thread of a killed program may still be inside

        self.each("full", tries, attempt)

    def limit(self):
        def tries(case):
            largest = max(os.path.getsize(os.path.join(top, name)) for top, _, files in os.walk(case.whole) for name in files)
            return [(f"ulimit -f, {size} bytes", size) for size in range(0, largest + 1024, 512)]

        def attempt(case, what, cwd):
            case.start(cwd)
            status, _, err = case.run(cwd, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (what[1], what[1])))
            return case.refused(status, err) + case.finish(cwd)

        self.each("limit", tries, attempt)

    def output(self):
        def attempt(case, what, cwd):
            def spoil():
                for descriptor in what[1]:
                    if what[0] == "full":
                        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
                    else:
                        os.close(descriptor)
            case.start(cwd)
            status, *_ = case.run(cwd, limit=spoil)
            wrong = [] if status in (0, 1) else [f"status {status}"]
            if status == 0 and case.stdout and 1 in what[1]:
                wrong.append("status 0, although stdout is full or closed")
            return wrong + case.finish(cwd)

        tries = [(how, files) for how in ("full", "closed") for files in ((1,), (2,), (1, 2))]
        self.each("output", lambda case: tries, attempt)

    def none(self):
        for name, command in crash_cases.silent_commands(self.options.apps, self.files).items():
            case = crash_cases.Case(name, command, f"{self.work}/empty", self.work, shim=self.options.shim)
            calls = crash_cases.calls_of(case, f"{self.work}/calls")
            self.report("none", case, "it changes files", [f"{letter} {path}" for letter, path in calls])
        print(f"none   {len(crash_cases.silent_commands(self.options.apps, self.files))} commands")


PARTS = ("kill", "random", "signal", "fail", "read", "power", "full", "limit", "output", "none")


def main():
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("parts", nargs="*", help="some of: " + " ".join(PARTS))
    line.add_argument("--apps", default=f"{top}/apps", help="folder of the programs")
    line.add_argument("--shim", default=f"{top}/build/crash/shim.so", help="the fault injector")
    line.add_argument("--case", action="append", help="only this command; may be repeated")
    line.add_argument("--tries", type=int, default=0, help="at most this many tries of each part and command; 0: all")
    line.add_argument("--kills", type=int, default=1300, help="number of commands to kill at random moments")
    line.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of parallel tries")
    line.add_argument("--show", type=int, default=40, help="number of failures to print; 0: all")
    line.add_argument("--keep", action="store_true", help="keep the work folder")
    options = line.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore SIGINT, and the programs would inherit that
    options.apps, options.shim = os.path.abspath(options.apps), os.path.abspath(options.shim)
    if unknown := set(options.parts) - set(PARTS):
        line.error(f"no part {' '.join(unknown)}: the parts are {', '.join(PARTS)}")
    if unknown := set(options.case or ()) - set(crash_cases.NAMES):
        line.error(f"no case {' '.join(unknown)}: the cases are {', '.join(crash_cases.NAMES)}")
    # Uses a folder in memory if possible, because a sync takes no time there.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 1 << 28 else None
    work = tempfile.mkdtemp(prefix="gannet-crash-", dir=memory)
    try:
        crash = Crash(options, work)
        for part in options.parts or PARTS:
            getattr(crash, part)()
    finally:
        if options.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    passed, failed = (sum(count[i] for count in crash.counts.values()) for i in (0, 1))
    print(f"{passed} passed, {failed} failed, {crash.skipped} skipped")
    if passed + failed + crash.skipped == 0:
        print("crash.py: these parts do not try these cases", file=sys.stderr)
    return failed > 0 or passed + crash.skipped == 0


if __name__ == "__main__":
    sys.exit(main())
