#!/usr/bin/env python3
"""Hashes of what trainings compute, to show that a change of structure changes no bit.

    tools/fingerprint.py --train PROGRAM [--cases presets|schedules|REGEX] [--isa ISA]... [--threads N]... [--write FILE] [--compare FILE]

Every preset is trained for three steps at its true size; every schedule, penalty and trick is trained for three steps on narrow
nets. A row is a case and the hash of every array of its state (by name, type, shape and bytes) and of its log rows without
`seconds` and `img_per_s`. Files are not hashed: their metadata name the build. Bits are those of one compiler, one
instruction set and one kind of program, so compare only what the same machine and compiler made.

The last line is `N passed, N failed`.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

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
# What each narrow net is trained with.
SCHEDULES = {
    "plain": [],
    "bce": ["discriminator.+={\"layer\":\"sigmoid\"}", "objective.loss=bce"],
    "bce-epsilon": ["discriminator.+={\"layer\":\"sigmoid\"}", "objective.loss=bce", "objective.bce_epsilon=1e-7"],
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
    "optimizers": ["optimizer.generator={\"type\":\"rmsprop\",\"lr\":1e-3}", "optimizer.discriminator.betas=[0.0,0.9]"],
    "uniform": ["latent.distribution=uniform", "init={\"conv\":\"normal\",\"linear\":\"glorot_uniform\",\"gamma_std\":0.02}"],
}
NETS = {"linear": LINEAR, "convolutional": CONVOLUTIONAL}


def narrow_cases(folder):
    """name -> (model file, settings)"""
    cases = {}

    def add(name, model, settings):
        model = json.loads(json.dumps(model))
        settings = list(settings)
        for setting in list(settings):
            if setting.startswith("discriminator.+="):  # one more layer, as --set cannot append
                model["discriminator"].append(json.loads(setting.split("=", 1)[1]))
                settings.remove(setting)
        path = os.path.join(folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(model, file)
        cases[name] = (path, settings)

    for net, model in NETS.items():
        for name, settings in SCHEDULES.items():
            add(f"{net}-{name}", model, settings)
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
    """One hash for each array of the state and one for the log's rows, put together."""
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


def fingerprint(train, name, model, settings, threads, environment, folder):
    """The case's hashes, or the words in which it is refused."""
    out = os.path.join(folder, name)
    command = [train, model, "--steps", "3", "--device", environment.pop("DEVICE", "cpu"), "--threads", str(threads), "--out", out, "--set", "log_every=1"]
    settings = list(settings)
    for attempt in ([], ["data.set=mnist"], ["data.set=blobs", "data.path=null"]):  # where a preset's images are not there
        arguments = command + [word for setting in settings + attempt for word in ("--set", setting)]
        result = subprocess.run(arguments, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
        if result.returncode == 0:
            return digest_of(out)
        error = result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"status {result.returncode}"
        if result.returncode != 1:
            return {"crashed": error}
        if not re.search(r"no file .*-ubyte|no such file or folder|there is no|images-idx3|data/(faces|sprites)", error):
            break
    return {"refused": hashlib.sha256(re.sub(r"\(.*?\)", "", error).encode()).hexdigest(), "message": error}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", default=os.path.join(ROOT, "apps", "train"))
    parser.add_argument("--cases", default="", help="regular expression of their names; `presets` and `schedules` are all of a kind")
    parser.add_argument("--isa", action="append", default=[], help="scalar, avx2, avx512; the best unless given")
    parser.add_argument("--threads", action="append", type=int, default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", help="a JSON file for the hashes")
    parser.add_argument("--compare", help="a JSON file that --write made")
    options = parser.parse_args()
    os.environ["GANNET_DATA"] = os.environ.get("GANNET_DATA", os.path.join(ROOT, "data"))
    found, passed, failed = {}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        narrow, presets = narrow_cases(folder), preset_cases()
        cases = {"presets": presets, "schedules": narrow}.get(options.cases)
        if cases is None:
            cases = {name: case for name, case in {**narrow, **presets}.items() if re.search(options.cases, name)}
        for name, (model, settings) in cases.items():
            for isa in options.isa or [""]:
                one = None
                for threads in options.threads or [2]:
                    environment = {"DEVICE": options.device, **({"GANNET_ISA": isa} if isa else {})}
                    with tempfile.TemporaryDirectory() as runs:
                        hashes = fingerprint(options.train, name, model, settings, threads, environment, runs)
                    if "crashed" in hashes or (one is not None and hashes != one):
                        print(f"FAILED: {name} {isa} {threads} threads: {hashes.get('crashed', 'other bits than with one thread count before')}")
                        failed += 1
                    one = hashes
                    found[" ".join(filter(None, [name, isa]))] = hashes
    if options.write:
        with open(options.write, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=0, sort_keys=True)
    if options.compare:
        with open(options.compare, encoding="utf-8") as file:
            expected = json.load(file)
        for name, hashes in found.items():
            other = expected.get(name)
            different = ["is not in the file"] if other is None else [key for key in sorted({*hashes, *other} - {"message"}) if hashes.get(key) != other.get(key)]
            if different:
                print(f"FAILED: {name}: {len(different)} differ: {', '.join(different[:4])} {hashes.get('message', '')}")
                failed += 1
            else:
                passed += 1
    else:
        passed += len(found) - failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
