#!/usr/bin/env python3
"""Hashes the results of trainings, to show that a refactoring does not change a bit. `make fingerprint` runs it.

Every preset is trained for three steps at its true size, in float and with AVX-512. Rows of an instruction set that the processor
lacks are skipped. Every schedule, penalty and option of the objective is trained for three steps on narrow nets: in float and
double, with each instruction set, with one thread and two (which must give the same hash), and with the CUDA kernels on the CPU.
The hash of a case covers each array of its state (name, type, shape, bytes) and its log rows without `seconds` and `img_per_s`.
Files are not hashed, because their metadata contain the version of the build.

tests/fingerprints.json holds the expected hashes. The bits depend on the compiler and the C library, so there is one table for
each pair of them; without a table for this pair, all cases are skipped. After a change that is meant to change bits, --write
writes the table again. To find the array that differs, run both builds with --arrays FILE and compare the files.

The last line is `N passed, N failed, N skipped`.
"""

import argparse
import collections
import glob
import hashlib
import json
import os
import platform
import re
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

LINEAR = {
    "data": {"set": "mnist", "first": 64, "size": 8},
    "latent": {"size": 5},
    "generator": [{"layer": "linear", "units": 7}, {"layer": "batch_norm"}, {"layer": "relu"}, {"layer": "dropout", "p": 0.3},
                  {"layer": "linear", "units": "image"}, {"layer": "tanh"}, {"layer": "reshape", "shape": "image"}],
    "discriminator": [{"layer": "flatten"}, {"layer": "linear", "units": 9}, {"layer": "leaky_relu"}, {"layer": "linear", "units": 1}],
    "objective": {"loss": "bce_with_logits"},
    "optimizer": {"type": "adam", "lr": 1e-3, "betas": [0.5, 0.999]},
    "batch": 4, "steps": 3, "log_every": 1, "samples": {"rows": 1, "columns": 2, "every": 1000},
}
CONVOLUTIONAL = {
    **LINEAR,
    "data": {"set": "mnist", "first": 64, "size": 16, "channels": 3},
    "generator": [{"layer": "conv_transpose2d", "channels": 8, "kernel": 4, "bias": False}, {"layer": "batch_norm"}, {"layer": "relu"},
                  {"layer": "conv_transpose2d", "channels": 6, "kernel": 4, "stride": 2, "padding": 1}, {"layer": "batch_norm"},
                  {"layer": "leaky_relu"},
                  {"layer": "conv_transpose2d", "channels": "image", "kernel": 4, "stride": 2, "padding": 1}, {"layer": "tanh"}],
    "discriminator": [{"layer": "conv2d", "channels": 5, "kernel": 4, "stride": 2, "padding": 1}, {"layer": "leaky_relu"},
                      {"layer": "conv2d", "channels": 8, "kernel": 4, "stride": 2, "padding": 1}, {"layer": "layer_norm"},
                      {"layer": "leaky_relu"}, {"layer": "conv2d", "channels": 1, "kernel": 4}, {"layer": "flatten"}],
}
CLASSIFIER = {
    "data": {"set": "mnist", "first": 64, "size": 8},
    "classifier": [{"layer": "conv2d", "channels": 4, "kernel": 3, "padding": 1}, {"layer": "batch_norm"}, {"layer": "relu"},
                   {"layer": "flatten"}, {"layer": "linear", "units": 10}],
    "optimizer": {"type": "adam", "lr": 1e-3}, "batch": 4, "steps": 3, "log_every": 1,
}
WASSERSTEIN = ["objective.loss=wasserstein", "objective.critic_steps=2"]
PENALTY = [*WASSERSTEIN, "objective.gradient_penalty={}"]
REUSE = ["objective.fakes=reuse"]
FIRST = [*REUSE, "objective.update_order=generator_first"]
# Each narrow net is trained with each of these settings.
SCHEDULES = {
    "plain": [],
    "bce": ["discriminator.+={\"layer\":\"sigmoid\"}", "objective.loss=bce"],
    "bce-epsilon": ["discriminator.+={\"layer\":\"sigmoid\"}", "objective.loss=bce", "objective.bce_epsilon=0.49"],
    "saturating": ["objective.generator_loss=saturating"],
    "labels": ["objective.real_label=0.9", "objective.fake_label=0.1", "objective.discriminator_loss=sum"],
    "hinge": ["objective.loss=hinge"],
    "least-squares": ["objective.loss=least_squares"],
    "reuse": REUSE,
    "reuse-two-updates": [*REUSE, "objective.generator_steps=2"],
    "generator-first": ["objective.update_order=generator_first"],
    "share": FIRST,
    "share-not": [*FIRST, "share_scores=false"],
    "join-not": ["join_batches=false"],
    "fuse-not": ["fuse=false"],
    "accumulate": ["objective.accumulate={\"discriminator\":2,\"generator\":3}"],
    "accumulate-mean": ["objective.accumulate={\"discriminator\":2,\"generator\":2,\"reduction\":\"mean\"}", *REUSE],
    "accumulate-first": ["objective.accumulate={\"discriminator\":2,\"generator\":1}", *FIRST, "objective.generator_steps=2"],
    "critic-steps": WASSERSTEIN,
    "clip-after": [*WASSERSTEIN, "objective.weight_clip=0.01"],
    "clip-before": [*WASSERSTEIN, "objective.weight_clip=0.01", "objective.clip_when=before"],
    "warm-up": [*WASSERSTEIN, "objective.weight_clip=0.01", "objective.critic_warm_up={\"critic_steps\":5,\"steps\":1,\"every\":2}"],
    "penalty": PENALTY,
    "penalty-channel": [*PENALTY, "objective.gradient_penalty.norm=channel", "objective.gradient_penalty.target=0.5"],
    "penalty-batch": [*PENALTY, "objective.gradient_penalty.norm=batch", "join_batches=false"],
    "penalty-reuse": [*PENALTY, *REUSE],
    "penalty-accumulate": [*PENALTY, "objective.accumulate={\"discriminator\":2}"],
    "rmsprop": ["optimizer={\"type\":\"rmsprop\",\"lr\":1e-3}"],
    "sgd": ["optimizer={\"type\":\"sgd\",\"lr\":1e-2,\"momentum\":0.9}"],
    "lion": ["optimizer={\"type\":\"lion\",\"lr\":1e-3,\"betas\":[0.9,0.99],\"weight_decay\":0.1}"],
    "optimizers": ["optimizer.generator={\"type\":\"rmsprop\",\"lr\":1e-3}", "optimizer.discriminator.betas=[0.0,0.9]"],
    "uniform": ["latent.distribution=uniform", "init={\"conv\":\"normal\",\"linear\":\"glorot_uniform\",\"gamma_std\":0.02}"],
}
NETS = {"linear": LINEAR, "convolutional": CONVOLUTIONAL}
# Fakes of 14x14 and real images of 16x16: D reduces both to 4x4.
MISMATCH = {
    **CONVOLUTIONAL, "allow_size_mismatch": True,
    "generator": [{"layer": "linear", "units": 294}, {"layer": "reshape", "shape": [6, 7, 7]}, {"layer": "batch_norm"}, {"layer": "relu"},
                  {"layer": "conv_transpose2d", "channels": "image", "kernel": 4, "stride": 2, "padding": 1}, {"layer": "tanh"}],
    "discriminator": [{"layer": "conv2d", "channels": 5, "kernel": 3, "stride": 2, "padding": 1}, {"layer": "leaky_relu"},
                      {"layer": "conv2d", "channels": 8, "kernel": 3, "stride": 2, "padding": 1}, {"layer": "leaky_relu"},
                      {"layer": "flatten"}, {"layer": "linear", "units": 1}],
}


def narrow_cases(folder):
    """name -> (model file, settings)"""
    cases = {}

    def add(name, model, settings):
        model = json.loads(json.dumps(model))
        settings = list(settings)
        for setting in list(settings):
            if setting.startswith("discriminator.+="):  # an additional layer, because --set cannot append
                model["discriminator"].append(json.loads(setting.split("=", 1)[1]))
                settings.remove(setting)
        path = os.path.join(folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(model, file)
        cases[name] = (path, settings)

    for net, model in NETS.items():
        for name, settings in SCHEDULES.items():
            add(f"{net}-{name}", model, settings)
    for name in ("plain", "reuse", "accumulate"):
        add(f"mismatch-{name}", MISMATCH, SCHEDULES[name])
    add("classifier", CLASSIFIER, [])
    return cases


def preset_cases():
    cases = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "models", "*.json")) + glob.glob(os.path.join(ROOT, "models", "seeds", "*.json"))):
        name = os.path.relpath(path, os.path.join(ROOT, "models"))[:-5].replace("/", ".")
        few_samples = [] if "classifier" in name else ["samples.rows=1", "samples.columns=2", "samples.every=1000000"]
        cases[name] = (path, few_samples)
    return cases


def digest_of(run):
    """The hashes of each array of the state and of the log's rows, concatenated."""
    hashes = {}
    with open(os.path.join(run, "checkpoint.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            hashes[name] = hashlib.sha256(f"{entry['dtype']} {entry['shape']}".encode() + data[begin:end]).hexdigest()
    rows = []
    with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if "observed" not in row and "format" not in row:
                rows.append({key: value for key, value in row.items() if key not in ("seconds", "img_per_s")})
    hashes["log"] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return hashes


def fingerprint(train, name, model, settings, device, isa, threads):
    """The hashes of a case, or the message if it is refused."""
    environment = {**os.environ, **({"GANNET_ISA": isa} if isa else {})}
    with tempfile.TemporaryDirectory() as folder:
        command = [train, model, "--steps", "3", "--device", device, "--threads", str(threads), "--out", f"{folder}/{name}", "--set", "log_every=1"]
        for data in ([], ["data.set=mnist"], ["data.set=blobs", "data.path=null"]):  # if the images of a preset are not installed
            arguments = command + [word for setting in settings + data for word in ("--set", setting)]
            result = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
            if result.returncode == 0:
                return digest_of(f"{folder}/{name}")
            error = result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"status {result.returncode}"
            if result.returncode != 1 or not re.search(r"no file .*-ubyte|no such file or folder|there is no|images-idx3|data/(faces|sprites)", error):
                break
    return {"refused": error} if result.returncode == 1 else {"crashed": error}


def together(hashes):
    """One short hash. The text of a refusal is not part of it."""
    return "refused" if "refused" in hashes else hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:16]


ISAS = ("scalar", "avx2", "avx512")


def isas(train):
    """The instruction sets of this processor, the best last, up to GANNET_ISA."""
    best = os.environ.get("GANNET_ISA", ISAS[-1])
    def runs(isa):
        result = subprocess.run([train, "models/vanilla.json", "--dry-run"], capture_output=True, text=True, env={**os.environ, "GANNET_ISA": isa}, check=False)
        return "this processor has no" not in result.stderr
    return [isa for isa in ISAS[:ISAS.index(best) + 1] if runs(isa)]


def toolchain(compiler):
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{os.path.basename(compiler)} {version}, {' '.join(platform.libc_ver())}"


SLICE = ["linear-accumulate-first", "convolutional-penalty-reuse", "classifier"]


def rows_of(options, folder):
    """Yields (name, case, runs) for each row. All runs must give the same hash; the list is empty if the processor lacks the
    instruction set."""
    narrow, presets = narrow_cases(folder), preset_cases()
    programs = {"float": f"{options.apps}/train", "double": f"{options.build}/double/apps/train", "simt": f"{options.build}/simt/apps/train"}
    sets = isas(programs["float"])
    if options.slice:
        narrow, presets = {name: narrow[name] for name in SLICE}, {}
    for name, case in presets.items():
        yield f"{name} float {ISAS[-1]}", case, [(programs["float"], "cpu", ISAS[-1], 2)] if ISAS[-1] in sets else []
    for name, case in narrow.items():
        for real in ["float"] if options.slice else ["float", "double"]:
            for isa in ISAS:
                yield f"{name} {real} {isa}", case, [(programs[real], "cpu", isa, threads) for threads in (1, 2)] if isa in sets else []
        if not options.slice:
            yield f"{name} simt", case, [(programs["simt"], "cuda", "", 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only rows with names that match this regular expression")
    parser.add_argument("--slice", action="store_true", help="three narrow nets in float")
    parser.add_argument("--write", action="store_true", help="write the table instead of comparing with it")
    parser.add_argument("--arrays", metavar="FILE", help="write the hash of every array to this JSON file")
    parser.add_argument("--table", default="tests/fingerprints.json")
    parser.add_argument("--apps", default="apps")
    parser.add_argument("--build", default="build")
    parser.add_argument("--compiler", default="g++")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["GANNET_DATA"] = os.environ.get("GANNET_DATA", os.path.join(ROOT, "data"))
    with open(options.table, encoding="utf-8") as file:
        tables = json.load(file)
    expected = tables.get(toolchain(options.compiler), {})
    if not expected and not options.write and not options.arrays:
        print(f"{options.table} has no hashes of {toolchain(options.compiler)}\n0 passed, 0 failed, 1 skipped")
        return 0
    found, arrays, failed = {}, {}, 0
    skipped = missing = 0  # rows of other instruction sets, and of a slice that is not in the table
    with tempfile.TemporaryDirectory() as folder:
        every = list(rows_of(options, folder))
        rows = [row for row in every if re.search(options.cases, row[0])]
        if not rows:
            parser.error(f"no row is called '{options.cases}': the cases are {', '.join(dict.fromkeys(name.split()[0] for name, *_ in every))}")
        if lacking := collections.Counter(name.split()[-1] for name, _, runs in rows if not runs):
            print("skipped: " + ", ".join(f"{count} rows of {isa}" for isa, count in lacking.items()) + ", which this processor lacks "
                  "or GANNET_ISA rules out", flush=True)
        skipped = lacking.total()
        rows = [row for row in rows if row[2]]

        def run(row):
            name, (model, settings), runs = row
            return name, [fingerprint(train, name.split()[0], model, settings, device, isa, threads) for train, device, isa, threads in runs]

        with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) // 2)) as pool:
            for name, results in pool.map(run, rows):
                arrays[name] = results[0]
                hashes = {together(result) for result in results}
                found[name] = hashes.pop()
                wrong = ""
                if "crashed" in results[0]:
                    wrong = results[0]["crashed"]
                elif hashes:
                    wrong = "the hashes with one and two threads differ"
                elif not options.write and name not in expected:
                    wrong = "" if name.split()[0] in SLICE else "not in the table"
                    missing += not wrong
                elif not options.write and expected[name] != found[name]:
                    wrong = f"{found[name]}, expected {expected[name]} {results[0].get('refused', '')}"
                if wrong:
                    print(f"FAILED: {name}: {wrong}", flush=True)
                    failed += 1
    if options.arrays:
        with open(options.arrays, "w", encoding="utf-8") as file:
            json.dump(arrays, file, indent=0, sort_keys=True)
    if options.write and not failed:
        kept = {name: value for name, value in expected.items() if name not in found and (options.cases or options.slice or skipped)}
        tables[toolchain(options.compiler)] = dict(sorted({**kept, **found}.items()))
        with open(options.table, "w", encoding="utf-8") as file:
            json.dump(tables, file, indent=0)
            file.write("\n")
    print(f"{len(found) - failed - missing} passed, {failed} failed, {skipped + missing} skipped")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
