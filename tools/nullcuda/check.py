#!/usr/bin/env python3
"""Counts the calls, memory and kernels of a training at the models' true sizes, without a GPU: see README.md.

usage: check.py BUILD [MODEL ...]

BUILD is the build folder with the CPU shim (build/simt). Prints a line for each model and each failed check. The last line is
`N passed, N failed, N skipped`.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS = ["vanilla", "keras-mlp", "wgan-clip", "dcgan", "wgan", "dcgan64", "wgan-gp64"]
STEPS, LOG_EVERY = 12, 4
# Steps 0, 1, 4, 5, ... differ from the others.
WARM_UP = ['objective.critic_warm_up={"critic_steps": 3, "steps": 2, "every": 4}', "objective.fakes=fresh"]
PENALTY = 'objective={"loss": "wasserstein", "critic_steps": 2, "gradient_penalty": {}}'


class Calls:
    """A log of calls (SIMT_LOG): a list of name and fields, in order."""

    def __init__(self, file):
        self.calls, self.peak = [], 0
        for line in open(file):
            name, in_use, *fields = line.rstrip("\n").split("\t")
            self.peak = max(self.peak, int(in_use))
            self.calls.append((name, fields))

    def captures(self):
        """The calls of each capture, in turn."""
        found, inside = [], False
        for call in self.calls:
            if call[0] == "cudaStreamEndCapture":
                inside = False
            if inside:
                found[-1].append(call)
            if call[0] == "cudaStreamBeginCapture":
                inside = True
                found.append([])
        return found

    def between_replays(self):
        """How often each function is called between a graph's launch and the next one, in turn."""
        found = None
        for name, _ in self.calls:
            if name == "cudaGraphLaunch":
                if found is not None:
                    yield found
                found = Counter()
            elif found is not None:
                found[name] += 1


def flops(launches):
    """Counts the flops of matrix products and convolutions, by the direct algorithm."""
    total = 0
    for _, fields in launches:
        extents = fields[5] if len(fields) > 5 else ""
        n = [int(word) for word in re.findall(r" (\d+)", extents)]
        if extents.startswith("product MNK"):
            total += 2 * n[0] * n[1] * n[2]
        elif extents.startswith("conv NHWC"):
            N, _, _, C, P, Q, K, R, S = n
            total += 2 * N * P * Q * K * R * S * C
    return total


def documented():
    """GFLOP and nodes of each model, from the table of docs/cuda.md."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([0-9.]+) \| [0-9.]+ \| [0-9.]+ \| (\d+) \|", (ROOT / "docs/cuda.md").read_text(), re.M)
    return {name: (text, int(nodes)) for name, text, nodes in rows}


class Check:
    def __init__(self, build):
        self.build, self.passed, self.failed = Path(build), 0, 0
        self.folder = tempfile.TemporaryDirectory()

    def expect(self, model, what, good):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        if not good:
            print(f"FAILED: {model}: {what}")

    def run(self, program, *arguments, memory=140 << 30):
        log = Path(self.folder.name) / "calls"
        command = [self.build / "apps" / program, *arguments, "--device", "cuda"]
        environment = {**os.environ, "SIMT_RUN": "0", "SIMT_LOG": str(log), "SIMT_CC": "9.0", "SIMT_MEMORY": str(memory)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
        if done.returncode != 0:
            raise RuntimeError(f"status {done.returncode} of {' '.join(map(str, command))}: {done.stderr.strip()[-400:]}")
        return Calls(log), done.stdout

    def train(self, model, *settings, **limits):
        out = tempfile.mkdtemp(dir=self.folder.name)
        given = [word for setting in settings for word in ("--set", setting)]
        calls, _ = self.run("train", f"models/{model}.json", "--out", f"{out}/run", "--steps", str(STEPS), "--set",
                            f"log_every={LOG_EVERY}", "--set", "data.first=256", *given, **limits)
        return calls

    def memory(self, model, name, graph, eager):
        # Subtracts the 256 images, which both runs store.
        images = 256 * (64 * 64 * 3 if model.endswith("64") else 28 * 28)
        ratio = (graph.peak - images) / (eager.peak - images)
        self.expect(model, f"{name}: a graph's peak is {graph.peak >> 20} MiB, {ratio:.3f} of the eager {eager.peak >> 20} MiB", ratio <= 1.05)
        captures = graph.captures()
        calls = Counter(call for capture in captures for call, _ in capture)
        self.expect(model, f"{name}: called while a step is recorded: {dict(calls)}", captures and set(calls) == {"launch"})
        self.expect(model, f"{name}: {sum(c == 'cudaMemGetInfo' for c, _ in graph.calls)} calls of cudaMemGetInfo",
                    sum(c == "cudaMemGetInfo" for c, _ in graph.calls) <= 8)
        return ratio

    def steps(self, model, graph):
        # A step consists of one graph launch. A log row copies two losses and two norms.
        quiet = logged = 0
        for calls in list(graph.between_replays())[1:]:
            copies = calls["cudaMemcpyAsync"]
            if not calls:
                quiet += 1
            elif copies <= 4:
                logged += 1
                most = {"cudaMemcpyAsync": 4, "cudaStreamSynchronize": 4, "launch": 4}
                self.expect(model, f"a log row makes the calls {dict(calls)}", all(calls[c] <= most.get(c, 0) for c in calls))
        self.expect(model, f"{quiet} steps only launch a graph, {logged} steps write a log row", quiet >= 6 and logged >= 1)

    def flops(self, name, calls, report):
        """Returns the GFLOP of the step that bench recorded and compares them with its report."""
        counted, said = flops(calls.captures()[0]) / 1e9, report["gflop_per_step"]["total"]
        self.expect(name, f"bench reports {said:.6f} GFLOP, launches: {counted:.6f}", abs(said - counted) < 1e-6 * counted)
        return counted

    def branches(self):
        """Both networks begin with two branches. The gradient of their input is not needed."""
        for name, *settings in (("branches",), ("branches, penalty", "--set", PENALTY)):
            calls, report = self.run("bench", "tools/nullcuda/branches.json", "--steps", "2", "--json", *settings)
            print(f"{name}: {self.flops(name, calls, json.loads(report)):.6f} GFLOP per step")

    def model(self, model, table):
        graph, eager = self.train(model), self.train(model, "cuda.graph=false")
        ratio = self.memory(model, "one phase", graph, eager)
        self.train(model, memory=int(1.05 * eager.peak))
        self.steps(model, self.train(model, "samples.every=1000"))
        phases = self.memory(model, "two phases", self.train(model, *WARM_UP), self.train(model, *WARM_UP, "cuda.graph=false"))
        calls, report = self.run("bench", f"models/{model}.json", "--steps", "2", "--json")
        report, step = json.loads(report), calls.captures()[0]
        nodes, counted = len(step), self.flops(model, calls, report)
        self.expect(model, f"bench: {report['kernels_per_step']} kernels, {nodes} were launched", report["kernels_per_step"] == nodes)
        if table:
            text, documented_nodes = table.get(model, ("0", 0))
            decimals = len(text.partition(".")[2])
            self.expect(model, f"docs/cuda.md says {documented_nodes} kernels, {nodes} were launched", documented_nodes == nodes)
            self.expect(model, f"docs/cuda.md says {text} GFLOP, launches: {counted:.3f}", f"{counted:.{decimals}f}" == text)
        print(f"{model}: {nodes} kernels, {counted:.3f} GFLOP per step; peak {graph.peak >> 20} MiB, {ratio:.3f} of eager, "
              f"{phases:.3f} with a warm-up of the critic")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    check = Check(sys.argv[1])
    for model in sys.argv[2:] or MODELS:
        try:
            check.model(model, documented())
        except (RuntimeError, IndexError) as error:
            check.expect(model, str(error), False)
    if not sys.argv[2:]:
        check.branches()
    print(f"{check.passed} passed, {check.failed} failed, 0 skipped")
    sys.exit(check.failed != 0)


main()
