#!/usr/bin/env python3
"""Compares Gannet with PyTorch and JAX, with the same models, batches, threads and numbers of steps.

    tools/side_by_side.py --peer FOLDER [--python PYTHON] [--rounds N] [--models mlp,dcgan28,...] [--variants eager,jax,...]
    tools/side_by_side.py     times only Gannet

FOLDER holds torch_gans.py and jax_gans.py. PYTHON is an interpreter with torch and jax; without jax, the JAX variants are
omitted. A round runs Gannet and then each variant of the peers. A model's time is the median over the rounds of the medians that
the programs print. The ratio is the time of the fastest variant divided by Gannet's. Prints a Markdown table. The machine should
be idle otherwise.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

# A peer's model: Gannet's model, the steps to time, whether layers have images as inputs, whether JAX has it, the goal.
MODELS = {
    "mlp": ("vanilla", 100, False, True, 1.5),
    "mlp_keras": ("keras-mlp", 100, False, False, 1.8),
    "wgan": ("wgan-clip", 40, False, True, 1.5),
    "dcgan28": ("dcgan", 30, True, True, 2.0),
    "wgan_gp": ("wgan", 10, True, True, 2.5),
    "dcgan64": ("dcgan64", 5, True, True, 2.5),
    "wgan_gp64": ("wgan-gp64", 3, True, False, 2.2),
}
VARIANTS = {  # variants of the peers: the script and its flags
    "eager": ("torch_gans.py", []),
    "freeze": ("torch_gans.py", ["--freeze"]),
    "channels-last": ("torch_gans.py", ["--freeze", "--channels-last"]),
    "compile": ("torch_gans.py", ["--freeze", "--compile"]),
    "compile-channels-last": ("torch_gans.py", ["--freeze", "--compile", "--channels-last"]),
    "jax": ("jax_gans.py", []),
}
# These variables restrict a library to older instructions or fewer threads, so they are removed from the environment of all
# programs.
CLEARED = ("DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE",
           "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GANNET_ISA", "GANNET_THREADS")


def run(command, cores, limit):
    """Returns a program's output and peak memory in MB. It runs on these cores only, so that all programs have the same number of
    threads."""
    environment = {key: value for key, value in os.environ.items() if key not in CLEARED}
    wrapped = [sys.executable, os.path.abspath(__file__), "--as-child", *command]
    done = subprocess.run(wrapped, env=environment, capture_output=True, text=True, timeout=limit,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit status {done.returncode}")
    output, _, memory = done.stdout.rstrip("\n").rpartition("\n")
    return output, float(memory)


def as_child(command):
    """Runs one program and prints its peak memory. This needs a separate process, because the peak covers all children."""
    import resource
    status = subprocess.run(command).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000)
    return status


class Entry:
    """Measurements of one program on one model."""

    def __init__(self):
        self.times, self.memory, self.reports = [], [], []

    def add(self, milliseconds, memory):
        self.times.append(milliseconds)
        self.memory.append(memory)

    def time(self):
        return statistics.median(self.times)


def gannet(options, model, steps, cores):
    command = [options.bench, f"models/{model}.json", "--json", "--device", "cpu", "--threads", str(len(cores)), "--steps", str(steps)]
    return json.loads(run(command, cores, options.limit)[0])


def peer(options, name, variant, steps, cores):
    script, flags = VARIANTS[variant]
    command = [options.python, os.path.join(options.peer, script), name, "--steps", str(steps), *flags]
    if script.startswith("torch"):
        command += ["--threads", str(len(cores))]
    output, memory = run(command, cores, options.limit)
    found = re.search(r"median ([0-9.]+) ms/step", output)
    if not found:
        raise RuntimeError(f"no median in: {output[-200:]}")
    return float(found.group(1)), memory


def variants_of(options, name):
    if not options.peer:
        return
    _, _, images, jax, _ = MODELS[name]
    for variant in options.variants:
        if (images or "channels-last" not in variant) and (jax or variant != "jax"):
            yield variant


def compare(options, name, cores, left_out):
    """Entries by program, Gannet's under \"gannet\". The reasons for missing programs are added to left_out."""
    model, steps, *_ = MODELS[name]
    steps = options.steps or steps
    entries = {"gannet": Entry()}
    failed = set()
    for number in range(options.rounds):
        report = gannet(options, model, steps, cores)
        entries["gannet"].add(report["ms_per_step"]["median"], report["resident_mb"])
        entries["gannet"].reports.append(report)
        for variant in variants_of(options, name):
            if variant in failed:
                continue
            try:
                entries.setdefault(variant, Entry()).add(*peer(options, name, variant, steps, cores))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                failed.add(variant)
                entries.pop(variant, None)
                left_out.append(f"{name}: {variant} is omitted: {error}")
                print(left_out[-1], file=sys.stderr)
        shown = ", ".join(f"{key} {entry.times[-1]:.1f}" for key, entry in entries.items())
        print(f"{name}, round {number + 1} of {options.rounds}, ms per step: {shown}", file=sys.stderr, flush=True)
    return entries


def table(results):
    lines = ["| model | Gannet, ms per step | best peer, ms per step | times faster (goal) | memory, Gannet / peer, MB |",
             "|---|---|---|---|---|"]
    for name, entries in results.items():
        model, *_, goal = MODELS[name]
        own = entries["gannet"]
        peers = {key: entry for key, entry in entries.items() if key != "gannet"}
        if not peers:
            lines.append(f"| `{model}.json` | {own.time():.1f} | none ran | | |")
            continue
        best = min(peers, key=lambda key: peers[key].time())
        others = ", ".join(f"{key} {entry.time():.1f}" for key, entry in peers.items() if key != best)
        lines.append(f"| `{model}.json` | {own.time():.1f} | {best} {peers[best].time():.1f}" + (f" ({others})" if others else "") +
                     f" | {peers[best].time() / own.time():.2f} ({goal}) | {max(own.memory):.0f} / {min(peers[best].memory):.0f} |")
    return "\n".join(lines)


def table_alone(results):
    """Gannet's results, medians over the rounds."""
    lines = ["| model | batch | ms per step, median (min) | images/s | GFLOP/s | % of peak | first step after, s | memory, MB |",
             "|---|---|---|---|---|---|---|---|"]
    for name, entries in results.items():
        own = entries["gannet"]

        def median(key):
            return statistics.median(report[key] for report in own.reports)
        least = min(report["ms_per_step"]["min"] for report in own.reports)
        lines.append(f"| `{MODELS[name][0]}.json` | {own.reports[0]['batch']} | {own.time():.1f} ({least:.1f}) | "
                     f"{median('images_per_s'):.0f} | {median('gflop_per_s'):.0f} | {median('percent_of_peak'):.0f} | "
                     f"{median('first_step_s'):.2f} | {max(own.memory):.0f} |")
    return "\n".join(lines)


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def listed(text, known, what):
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"side_by_side.py: unknown {what} \"{name}\": use {', '.join(known)}")
    return names


def check_python(python):
    """Checks everything before the measurements."""
    try:
        subprocess.run([python, "-c", ""], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"side_by_side.py: --python {python}: {error}: name an interpreter that has torch") from error


def main():
    if sys.argv[1:2] == ["--as-child"]:
        return as_child(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--peer", default="", help="folder of torch_gans.py and jax_gans.py; default: time only Gannet")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with torch; default: this one")
    parser.add_argument("--bench", default=os.path.join("apps", "bench"), help="Gannet's program; default: apps/bench")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; default: 3")
    parser.add_argument("--threads", type=int, default=0, help="number of threads; default: one per usable core")
    parser.add_argument("--steps", type=int, default=0, help="number of steps to time; default: depends on the model's size")
    parser.add_argument("--models", default=",".join(MODELS), help="models, by their names in the peers; default: %(default)s")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="variants of the peers; default: %(default)s")
    parser.add_argument("--limit", type=float, default=1800, help="time limit of one program in seconds; default: 1800")
    options = parser.parse_args()
    models, options.variants = listed(options.models, MODELS, "model"), listed(options.variants, VARIANTS, "variant")
    options.bench, options.peer = os.path.abspath(options.bench), options.peer and os.path.abspath(options.peer)
    if os.sep in options.python:
        options.python = os.path.abspath(options.python)  # not resolved, because the path of the link identifies a virtual environment
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    needed = [(options.bench, "run make")]
    if options.peer:
        needed += [(os.path.join(options.peer, script), "check --peer") for script in ("torch_gans.py", "jax_gans.py")]
    for file, to_do in needed:
        if not os.path.exists(file):
            raise SystemExit(f"side_by_side.py: no {file}: {to_do}")
    for option, least in (("rounds", 1), ("threads", 0), ("steps", 0)):
        if getattr(options, option) < least:
            raise SystemExit(f"side_by_side.py: --{option}: use {least} or more")
    if options.peer:
        check_python(options.python)
    cores = sorted(os.sched_getaffinity(0))
    if options.threads > len(cores):
        raise SystemExit(f"side_by_side.py: --threads {options.threads}: there are {len(cores)} cores")
    cores = set(cores[:options.threads or len(cores)])

    load = os.getloadavg()[0]
    if load > len(cores) / 4:
        print(f"side_by_side.py: the machine is busy, load average {load:.1f}: the times are unreliable", file=sys.stderr)
    results, left_out = {}, []
    for name in models:
        if os.path.exists(f"models/{MODELS[name][0]}.json"):
            results[name] = compare(options, name, cores, left_out)
            if options.peer and len(results) == 1 and len(results[name]) == 1:
                raise SystemExit(f"side_by_side.py: no peer ran: see why above; --python {options.python} must have torch")
        else:
            print(f"{name}: skipped, there is no models/{MODELS[name][0]}.json", file=sys.stderr)
    print(f"{processor()}, {len(cores)} threads, rounds: {options.rounds}, load average before the first: {load:.1f}\n")
    print(table(results) if options.peer else table_alone(results))
    if left_out:
        print("\n" + "\n".join(left_out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
