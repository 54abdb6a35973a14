#!/usr/bin/env python3
"""Fuzzes every reader and every builder, then runs all inputs found in the plain build, with limits of 1 s and 1 GB each.
`make fuzz MINUTES=10 JOBS=2` runs it; docs/reliability.md has the results.

Corpora are kept in build/fuzz/corpus, failing inputs in build/fuzz/failed, the results of each target in build/fuzz/results.json.
A target that the current program has already fuzzed for this time is not fuzzed again, so the command can be repeated after an
interrupt; --again fuzzes it anyway, on the existing corpus. --replay only runs the committed seeds and regressions in the plain
build, which takes seconds.

The last line is `N passed, N failed, N skipped`: each replayed input and each fuzzed target is one check.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LENGTH, TIMEOUT, MEGABYTES = 1000000, 10, 2048
SHORT = 16384  # maximum input length in the first two thirds of the time; short inputs run many times faster
MODELS = ["models", "tests/bad_models", "tests/preflight"]
SEEDS = {  # folders and files of the repository, beside tests/fuzz/seeds/TARGET
    "model": MODELS, "net": MODELS, "json": ["models", "tests/bad_models"], "image": ["tests/images"],
    "idx": ["data/mnist/t10k-labels-idx1-ubyte.gz"], "history": ["tests/fuzz/seeds/log"], "plots": ["tests/fuzz/seeds/log"],
}
DICTIONARIES = {"model": "model", "net": "model", "checkpoint": "model", "settings": "model", "json": "json", "tune": "json",
                "safetensors": "json", "restore": "json", "log": "log", "history": "log", "plots": "log"}


def made(folder):
    """Writes the regressions that are too large for the repository: target -> folder."""
    bomb = '{"%s": [%s]}' % ("k" * 40000, ",".join(["1"] * 40000))
    header = '{"%s": {"dtype": "F32", "shape": [%s], "data_offsets": [0, 4]}}' % ("k" * 40000, ",".join(["1"] * 40000))
    many = '{"variables": {%s}}' % ",".join('"v%d": "%s"' % (i, "$v%d + 1" % (i - 1) if i else "1") for i in range(30000))
    rows = "".join('{"step": %d, "loss_d": %d.5, "loss_g": 0.25}\n' % (i, i % 7) for i in range(20000))
    files = {
        "json": {"path_bomb": bomb, "list": "[" + ",".join(["1"] * 490000) + "]", "deep": "[" * 500000},
        "model": {"path_bomb": bomb, "variables": many},
        "tune": {"path_bomb": bomb},
        "safetensors": {"path_bomb": "f" + header + "\n1234"},
        "checkpoint": {"path_bomb": header + "\n1234"},
        "log": {"path_bomb": bomb + "\n", "rows": rows},
        "history": {"path_bomb": bomb + "\n", "rows": rows},
        "plots": {"rows": rows},
    }
    for target, contents in files.items():
        os.makedirs(f"{folder}/{target}", exist_ok=True)
        for name, content in contents.items():
            with open(f"{folder}/{target}/{name}", "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
    return {target: f"{folder}/{target}" for target in files}


def seeds_of(target):
    return [path for path in [f"tests/fuzz/seeds/{target}", *SEEDS.get(target, [])] if os.path.exists(path)]


class Fuzz:
    def __init__(self, options):
        self.options = options
        self.folder = f"{options.build}/fuzz"
        self.lock = threading.Lock()
        self.passed = self.failed = 0
        self.results_file = f"{self.folder}/results.json"
        self.results = {}
        os.makedirs(self.folder, exist_ok=True)
        if os.path.exists(self.results_file):
            with open(self.results_file, encoding="utf-8") as f:
                self.results = json.load(f)
        self.environment = {**os.environ, "GANNET_THREADS": "1", "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}

    def count(self, good):
        with self.lock:
            self.passed, self.failed = self.passed + good, self.failed + (not good)

    def linked(self, target, corpus, failed, longest):
        """A folder of links to the seeds up to a length. Failed seeds are removed from the corpus, because they would end the
        fuzzer at its start."""
        known = {name.rsplit("-", 1)[-1] for name in os.listdir(failed)}  # libFuzzer names inputs by their SHA-1

        def fails(path):
            with open(path, "rb") as f:
                return hashlib.sha1(f.read()).hexdigest() in known

        links = f"{self.folder}/links/{target}"
        shutil.rmtree(links, ignore_errors=True)
        os.makedirs(links)
        for path in seeds_of(target) + ([self.made[target]] if target in self.made else []):
            files = [os.path.join(top, name) for top, _, names in os.walk(path) for name in names] if os.path.isdir(path) else [path]
            for file in files:
                if os.path.getsize(file) <= longest and not fails(file):
                    os.symlink(os.path.abspath(file), f"{links}/{file.replace('/', '_')}")
        for name in os.listdir(corpus):
            if fails(f"{corpus}/{name}"):
                os.unlink(f"{corpus}/{name}")
        return links

    def fuzz(self, target):
        seconds = int(self.options.minutes * 60)
        program = f"{self.folder}/fuzz"
        stamp = os.path.getmtime(program)
        old = self.results.get(target, {})
        if not self.options.again and old.get("seconds", 0) >= seconds and old.get("program") == stamp:
            print(f"fuzz {target}: already fuzzed for {old['seconds']} s", flush=True)
            self.count(not old["crashes"] and not old["over"])
            return
        corpus, failed = f"{self.folder}/corpus/{target}", f"{self.folder}/failed/{target}"
        for path in (corpus, failed):
            os.makedirs(path, exist_ok=True)
        for name in os.listdir(failed):  # an earlier program failed on these inputs; this one tries them again
            os.replace(f"{failed}/{name}", f"{corpus}/{name}")
        result = {"program": stamp, "seconds": seconds, "executions": 0, "edges": 0, "features": 0, "megabytes": 0}
        begin = time.monotonic()
        restarts = 0
        while (passed := time.monotonic() - begin) < seconds - 1 and restarts < 20:
            length, until = (SHORT, seconds * 2 // 3) if passed < seconds * 2 // 3 - 1 else (LENGTH, seconds)
            command = [program, f"-max_total_time={max(1, round(until - passed))}", f"-max_len={length}", f"-timeout={TIMEOUT}",
                       f"-rss_limit_mb={MEGABYTES}", f"-artifact_prefix={failed}/", "-print_final_stats=1", "-reload=0", "-verbosity=1", corpus,
                       self.linked(target, corpus, failed, length)]
            if target in DICTIONARIES:
                command.insert(1, f"-dict=tests/fuzz/dictionaries/{DICTIONARIES[target]}.dict")
            with open(f"{self.folder}/{target}.log", "ab") as log:
                done = subprocess.Popen(command, env={**self.environment, "GANNET_FUZZ": target}, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=subprocess.PIPE)
                errors = done.communicate()[1]
                log.write(errors)
            for memory in ("/dev/shm", "/tmp"):  # files that a stopped process could not remove
                shutil.rmtree(f"{memory}/gannet-fuzz-{done.pid}", ignore_errors=True)
            said = errors.decode(errors="replace")
            for edges, features in re.findall(r"cov: (\d+) ft: (\d+)", said):
                result["edges"], result["features"] = max(result["edges"], int(edges)), max(result["features"], int(features))
            ran = re.search(r"stat::number_of_executed_units: +(\d+)", said)
            ran = int(ran[1]) if ran else max([int(n) for n in re.findall(r"^#(\d+)", said, re.M)], default=0)
            result["executions"] += ran
            peak = [int(n) for n in re.findall(r"stat::peak_rss_mb: +(\d+)", said) + re.findall(r"rss: (\d+)Mb", said)]
            result["megabytes"] = max([result["megabytes"], *peak])
            if done.returncode == 0:
                continue
            restarts += 1  # the fuzzer ends at the first failing input
            if "Test unit written to" not in said:
                print(f"fuzz {target}: ended without a failing input: {said.strip().splitlines()[-1:]}", flush=True)
                result["broken"] = True
                break
        new = os.listdir(failed)
        if not result["edges"]:
            print(f"fuzz {target}: reached no instrumented code", flush=True)
            result["broken"] = True
        result["over"] = sum(name.startswith(("timeout-", "oom-", "slow-unit-")) for name in new)
        result["crashes"] = len(new) - result["over"] + result.pop("broken", False)
        with self.lock:
            self.results[target] = result
            with open(self.results_file, "w", encoding="utf-8") as f:
                json.dump(self.results, f, indent=1)
            print(f"fuzz {target}: {result['executions']:,} executions, {result['edges']:,} edges, peak {result['megabytes']} MB, "
                  f"{result['crashes']} crashes, {result['over']} over the limits", flush=True)
            for name in sorted(new):
                print(f"FAILED: {target}: {failed}/{name}", flush=True)
        self.count(not new and not result["crashes"])

    def replay(self, target, *folders):
        paths = [path for path in folders if os.path.exists(path)]
        if not paths:
            return
        done = subprocess.run([self.options.replay_program, target, *paths], env=self.environment, capture_output=True, text=True,
                              errors="replace", check=False)
        counts = re.search(r"(\d+) passed, (\d+) failed, 0 skipped\s*$", done.stdout)
        passed, failed = (int(counts[1]), int(counts[2])) if counts else (0, 1)
        with self.lock:
            self.passed, self.failed = self.passed + passed, self.failed + failed
            print(f"plain {target}: {passed} passed, {failed} failed", flush=True)
            if failed:
                print("\n".join(done.stdout.splitlines()[:40] or done.stderr.splitlines()[-5:]), flush=True)
        if target in self.results and "corpus" in " ".join(folders):
            self.results[target]["replayed"], self.results[target]["replay_failed"] = passed + failed, failed

    def table(self):
        print("\n| target | executions | edges | features | peak MB | crashes | over the limits | replayed at 1 s and 1 GB | failed |")
        print("|---|---|---|---|---|---|---|---|---|")
        sums = [0] * 5
        for target in self.targets:
            if not (r := self.results.get(target)):
                continue
            columns = [r["executions"], r["edges"], r["features"], r["megabytes"], r["crashes"], r["over"], r.get("replayed", 0),
                       r.get("replay_failed", 0)]
            print(f"| {target} | " + " | ".join(f"{c:,}" for c in columns) + " |")
            sums = [a + columns[i] for a, i in zip(sums, (0, 4, 5, 6, 7))]
        print(f"| all | {sums[0]:,} | | | | {sums[1]} | {sums[2]} | {sums[3]:,} | {sums[4]} |\n")

    def run(self):
        all_targets = subprocess.run([self.options.replay_program], capture_output=True, text=True, check=True).stdout.split()
        if unknown := set(self.options.targets) - set(all_targets):
            raise SystemExit(f"fuzz.py: no target {' '.join(unknown)}: the targets are {', '.join(all_targets)}")
        self.targets = self.options.targets or all_targets
        self.made = made(f"{self.folder}/made")
        with ThreadPoolExecutor(self.options.jobs) as pool:
            if not self.options.replay:
                list(pool.map(self.fuzz, self.targets))
            list(pool.map(lambda t: self.replay(t, *seeds_of(t), f"{self.folder}/made/{t}",
                                                *([] if self.options.replay else [f"{self.folder}/corpus/{t}"])), self.targets))
        if not self.options.replay:
            with open(self.results_file, "w", encoding="utf-8") as f:
                json.dump(self.results, f, indent=1)
            self.table()
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        return self.failed > 0


def main():
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("targets", nargs="*", help="only these targets; default: all")
    line.add_argument("--build", default="build")
    line.add_argument("--replay-program", default="build/float/replay")
    line.add_argument("--minutes", type=float, default=10, help="minutes per target")
    line.add_argument("--jobs", type=int, default=1, help="number of parallel targets")
    line.add_argument("--again", action="store_true", help="also fuzz targets that were already fuzzed for this time")
    line.add_argument("--replay", action="store_true", help="do not fuzz; only run the known inputs")
    os.chdir(TOP)
    return Fuzz(line.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
