#!/usr/bin/env python3
"""test_draws.py RUN FOLDER SEED FIRST: checks that tools/gannet_draws.py draws the latent points of `apps/generate RUN
--seed SEED --out FOLDER/`, starting at image FIRST.

The generator of the run is linear, tanh, reshape, so NumPy computes the images of these points from the weights in the checkpoint.
They must be within one level of the files; images of other points differ by many levels.
"""
import json
import os
import struct
import sys
import zlib

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
import gannet_draws as draws  # noqa: E402


def read_grey_png(path: str) -> np.ndarray:
    with open(path, "rb") as f:
        data = f.read()
    at, blocks = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 0), "not 8 bits of grey"
        elif kind == b"IDAT":
            blocks += data[at + 8:at + 8 + length]
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(blocks), np.uint8).reshape(height, width + 1).astype(int)
    above, image = np.zeros(width, int), np.zeros((height, width), int)
    for y, line in enumerate(lines):
        kind, left, corner = line[0], 0, 0
        for x in range(width):
            up = above[x]
            guess = left + up - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            left = (line[1 + x] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
            corner, image[y, x] = up, left
        above = image[y]
    return image


run, folder, seed, first = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
tensors, metadata = draws.read_safetensors(os.path.join(run, "checkpoint.safetensors"))
weight, bias = (tensors[f"generator.0.{name}"].astype(np.float64) for name in ("weight", "bias"))
count = len(os.listdir(folder)) - first
found = np.stack([read_grey_png(os.path.join(folder, f"{i:06d}.png")) for i in range(first, first + count)])


def worst(points: np.ndarray) -> float:
    """The largest difference from the files, in levels."""
    images = (np.tanh(points @ weight.T + bias) + 1) / 2 * 255
    return float(np.abs(images.reshape(found.shape) - found).max())


config = json.loads(metadata["config"])
same = worst(draws.sample_latents(config, count, seed, first))
other = min(worst(draws.sample_latents(config, count, seed + 1, first)), worst(draws.sample_latents(config, count, seed, first + 1)),
            worst(draws.latents(config, draws.Key(seed, draws.STREAM_LATENT), np.arange(first, first + count))))
print(f"{count} images: {same:.2f} levels, of other points {other:.2f}")
sys.exit(not same < 1 < 20 < other)
