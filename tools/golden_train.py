#!/usr/bin/env python3
"""Trains small models for 50 steps in PyTorch in float64, and writes the numbers that a double build of the engine must
reproduce.

usage: golden_train.py [NAME ...] [--data FOLDER] [--goldens FOLDER] [--sensitivity]

Reads train_NAME.config.json from the goldens' folder (an effective configuration, which is also a model file) and writes
train_NAME.json to the same folder. Without names, it does so for all models. --sensitivity writes nothing: it trains twice, the
second time from weights changed by a relative 1e-15, and prints the largest difference of the numbers. Tests need this tolerance.
"""
import argparse
import glob
import json
import math
import os

import torch

import gannet_draws as draws
import gannet_torch as gt
from gannet_draws import NETWORKS, Images
from gannet_trainer import Trainer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def norm(tensors) -> float:
    return math.sqrt(sum(float(t.detach().double().square().sum()) for t in tensors))


def no_true_gradient(trainer: Trainer) -> list[str]:
    """Biases with a gradient of zero except for rounding: a following batch norm removes any shift, and the last bias of a
    Wasserstein critic shifts real and fake scores equally."""
    names = []
    for network, net in trainer.nets.items():
        layers = list(net)
        for i, (layer, after) in enumerate(zip(layers, layers[1:] + [None])):
            is_last_of_critic = after is None and network == "discriminator" and trainer.objective["loss"] == "wasserstein"
            if getattr(layer, "bias", None) is not None and (isinstance(after, gt.BatchNorm) or is_last_of_critic):
                names.append(f"{network}.{i}.bias")
    return names


def train(config: dict, pixels, perturbation: float = 0.0) -> dict:
    """The numbers of a golden run."""
    trainer = Trainer(config, pixels.shape[1:])
    trainer.images = Images(pixels, trainer.config["data"], trainer.batch, trainer.seed)
    for network in NETWORKS:
        for i, p in enumerate(trainer.nets[network].parameters()):
            p.data *= 1 + perturbation * (1 - 2 * (i % 2))
    zero = no_true_gradient(trainer)
    steps = {key: [] for key in ("loss_d", "loss_g", "grad_norm_d", "grad_norm_g")}
    for _ in range(config["steps"]):
        result = trainer.step()
        for letter in "dg":
            steps[f"loss_{letter}"].append(result[f"loss_{letter}"])
            steps[f"grad_norm_{letter}"].append(norm(g for name, g in result[f"grad_{letter}"].items() if name not in zero))
    parameters = {name: norm([p]) for n in NETWORKS for name, p in trainer.parameters(n).items()}
    return {"steps": steps, "without": zero,
            "parameter_norm": {n: norm(trainer.nets[n].parameters()) for n in NETWORKS},
            "parameter_norms": {name: value for name, value in parameters.items() if name not in zero},
            "statistic_norms": {name: norm([b]) for n in NETWORKS for name, b in trainer.buffers(n).items()}}


def largest_difference(a, b) -> float:
    """The largest difference of two golden runs, relative to the larger of 1 and the number."""
    if isinstance(a, dict):
        return max((largest_difference(a[k], b[k]) for k in a), default=0.0)
    if isinstance(a, list):
        return max((largest_difference(x, y) for x, y in zip(a, b)), default=0.0)
    return abs(a - b) / max(1.0, abs(a)) if isinstance(a, float) else 0.0


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*")
    p.add_argument("--data", default=os.path.join(ROOT, "data", "mnist"), help="folder of MNIST's IDX .gz files")
    p.add_argument("--goldens", default=os.path.join(ROOT, "tests", "goldens"))
    p.add_argument("--sensitivity", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(1)  # a fixed order of summation
    suffix = ".config.json"
    files = sorted(glob.glob(os.path.join(a.goldens, "train_*" + suffix)))
    for path in files if not a.names else [os.path.join(a.goldens, f"train_{n}{suffix}") for n in a.names]:
        with open(path) as f:
            config = json.load(f)
        pixels = draws.read_idx(a.data, gt.complete(config)["data"]["split"])
        golden = train(config, pixels)
        losses = golden["steps"]
        print(f"{os.path.basename(path)[:-len(suffix)]}: loss_d {losses['loss_d'][0]:.6f} .. {losses['loss_d'][-1]:.6f}  "
              f"loss_g {losses['loss_g'][0]:.6f} .. {losses['loss_g'][-1]:.6f}  "
              f"grad_norm_d {losses['grad_norm_d'][-1]:.4f}  grad_norm_g {losses['grad_norm_g'][-1]:.4f}")
        if a.sensitivity:
            print(f"  moved by 1e-15: {largest_difference(golden, train(config, pixels, 1e-15)):.1e}"
                  f"   by 1e-7: {largest_difference(golden, train(config, pixels, 1e-7)):.1e}")
            continue
        with open(path[:-len(suffix)] + ".json", "w") as f:
            json.dump(golden, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
