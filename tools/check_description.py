#!/usr/bin/env python3
"""Compares the networks that `apps/summary MODEL --json` describes with those that gannet_torch.py builds from the same
configuration: the layers with their attributes, the names and shapes of parameters and buffers, and the output shape of each
layer.

usage: check_description.py < DESCRIPTION

Prints a line for each difference. The exit status is 1 if there is one.
"""
import json
import sys

import torch

import gannet_torch as gt

# Functions that read the attributes of a description from a torch module.
ATTRIBUTES = {
    "linear": lambda m: {"units": m.out_features, "bias": m.bias is not None},
    "conv2d": lambda m: {"channels": m.out_channels, "kernel": m.kernel_size[0], "stride": m.stride[0], "padding": m.padding[0],
                         "bias": m.bias is not None},
    "conv_transpose2d": lambda m: {**ATTRIBUTES["conv2d"](m), "output_padding": m.output_padding[0]},
    "batch_norm": lambda m: {"eps": m.eps, "momentum": m.momentum, "affine": m.weight is not None},
    "layer_norm": lambda m: {"eps": m.eps, "affine": m.weight is not None},
    "dropout": lambda m: {"p": m.p, "channelwise": m.channelwise},
    "leaky_relu": lambda m: {"slope": m.slope},
    "upsample": lambda m: {"scale": int(m.scale_factor)},
    "reshape": lambda m: {"shape": list(m.shape)},
}


def differences(described: dict, module: torch.nn.Module, output: torch.Tensor):
    kind = described["layer"]
    found = {
        "attributes": ATTRIBUTES.get(kind, lambda m: {})(module),
        "parameters": {f"{described['name']}.{n}": list(p.shape) for n, p in module.named_parameters(recurse=False)},
        "buffers": {f"{described['name']}.{n}": list(b.shape) for n, b in module.named_buffers(recurse=False)},
        "output": list(output.shape[1:]),
    }
    for what, value in found.items():
        if value != described[what]:
            yield f"{described['name']} {kind}: {what} {described[what]}, but {value} in PyTorch"


def compare(layers: list, sequence: torch.nn.Sequential, x: torch.Tensor):
    if len(layers) != len(sequence):
        yield f"{len(layers)} layers are described, PyTorch has {len(sequence)}"
    for described, module in zip(layers, sequence):
        for name, inner in described["lists"].items():
            yield from compare(inner, getattr(module, name), x)
        x = module(x)
        yield from differences(described, module, x)


def main() -> int:
    said = json.load(sys.stdin)
    config = gt.complete(said["config"])
    found = []
    for name, layers in said["networks"].items():
        network = gt.build_network(config, name, said["image"]).eval()
        shape = [config["latent"]["size"]] if name == "generator" else said["image"]
        found += compare(layers, network, torch.zeros(1, *shape, dtype=torch.float64))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
