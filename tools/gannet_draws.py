"""Gannet's file formats and random numbers without torch: safetensors files, IDX images, and the draws of kernels/philox.h.

A draw is a pure function of (seed, stream, update, step, sample, element), so a run can be recomputed from its
configuration alone. Everything here is vectorised NumPy in float64.
"""
import gzip
import json
import os
import struct
from dataclasses import dataclass

import numpy as np

# ---- safetensors: 8 bytes of header length, a JSON header, raw little-endian data ------------------------------------

SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def read_safetensors(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata."""
    with open(path, "rb") as f:
        length = int.from_bytes(f.read(8), "little")
        if length > os.path.getsize(path):
            raise ValueError(f"{path}: not a safetensors file")
        header = json.loads(f.read(length))
        data = f.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], SAFETENSORS_TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def write_safetensors(path: str, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    names = {np.dtype(code): name for name, code in SAFETENSORS_TYPES.items()}
    header: dict = {"__metadata__": metadata} if metadata else {}
    blobs, offset = [], 0
    for name, value in tensors.items():
        value = np.asarray(value)
        blobs.append(value.tobytes())  # in C order for any strides
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape),
                        "data_offsets": [offset, offset + len(blobs[-1])]}
        offset += len(blobs[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8 bytes
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# ---- Philox 4x32-10 --------------------------------------------------------------------------------------------------

MASK32 = np.uint64(0xFFFFFFFF)


def philox(c0, c1, c2, c3, seed: int) -> list[np.ndarray]:
    """Returns the four words of each counter. The words of the counters are broadcast."""
    c = [np.asarray(x, np.uint64) for x in np.broadcast_arrays(c0, c1, c2, c3)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        c = [high1 ^ c[1] ^ np.uint64(k0), p1 & MASK32, high0 ^ c[3] ^ np.uint64(k1), p0 & MASK32]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [x.astype(np.uint32) for x in c]


@dataclass(frozen=True)
class Key:
    """The purpose of a draw: key and counter without sample and element."""
    seed: int
    stream: int
    step: int = 0
    update: int = 0


def words(key: Key, samples: np.ndarray, per_sample: int) -> np.ndarray:
    """(samples, per_sample rounded up to a multiple of 4) words."""
    blocks = np.arange(-(-per_sample // 4))[None, :]
    w = philox(blocks, np.asarray(samples)[:, None], key.step, key.stream * 4096 + key.update, key.seed)
    return np.stack(w, -1).reshape(len(samples), -1)


def unit(w: np.ndarray) -> np.ndarray:
    return ((w >> np.uint32(9)) + 0.5) / 2.0**23


def uniform(key: Key, samples: np.ndarray, per_sample: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    return low + (high - low) * unit(words(key, samples, per_sample)[:, :per_sample])


def normal(key: Key, samples: np.ndarray, per_sample: int, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
    u = unit(words(key, samples, per_sample)).reshape(len(samples), -1, 2)
    radius, angle = np.sqrt(-2 * np.log(u[..., 0])), 2 * np.pi * u[..., 1]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return mean + std * pairs.reshape(len(samples), -1)[:, :per_sample]


def bernoulli(key: Key, samples: np.ndarray, per_sample: int, p: float) -> np.ndarray:
    """1 with probability p, else 0."""
    return (uniform(key, samples, per_sample) < p).astype(np.float64)


# The streams of engine/tensor/random.h.
NETWORKS = ("generator", "discriminator")
ROLES = ("real", "fake", "interpolated")
STREAM_ORDER, STREAM_LATENT, STREAM_INTERPOLATION, STREAM_SAMPLE_GRID = 1, 2, 3, 4
GENERATOR_UPDATE = 2048


def initial_stream(network: str, parameter: int) -> int:
    return 0x10000 + NETWORKS.index(network) * 0x4000 + parameter


def dropout_stream(network: str, role: str, leaf: int) -> int:
    return 0x40000 + NETWORKS.index(network) * 0x20000 + ROLES.index(role) * 0x8000 + leaf


def latents(config: dict, key: Key, samples: np.ndarray) -> np.ndarray:
    """Latent points of the configured distribution, (samples, size)."""
    size = config["latent"]["size"]
    if config["latent"]["distribution"] == "uniform":
        return uniform(key, samples, size, -1, 1)
    return normal(key, samples, size)


def sample_latents(config: dict, count: int, seed: int = 1, first: int = 0) -> np.ndarray:
    """The latent points of images [first, first + count) of `apps/generate --seed SEED`. The seed of a run gives the latent
    points of its sample grids."""
    return latents(config, Key(seed, STREAM_SAMPLE_GRID), np.arange(first, first + count))


# ---- the order of the data -------------------------------------------------------------------------------------------

def shuffled_index(seed: int, epoch: int, index: np.ndarray, count: int) -> np.ndarray:
    """A bijection of [0, count): a Feistel network over the next even number of bits, repeated until the result is in the
    range."""
    keys = [int(k) for k in philox(epoch & 0xFFFFFFFF, epoch >> 32, 0, STREAM_ORDER * 4096, seed)]
    half = 1
    while 1 << (2 * half) < count:
        half += 1
    mask = np.uint64((1 << half) - 1)
    index = np.array(index, np.uint64)
    outside = np.ones(index.shape, bool)
    while outside.any():
        left, right = index[outside] >> np.uint64(half) & mask, index[outside] & mask
        for key in keys:
            left, right = right, left ^ (murmur_finaliser(right ^ np.uint64(key)) & mask)
        index[outside] = left << np.uint64(half) | right
        outside = index >= count
    return index.astype(np.int64)


def murmur_finaliser(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B) & MASK32
    h = (h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35) & MASK32
    return h ^ (h >> np.uint64(16))


class Images:
    """The trainer's view of a data set: bytes (count, C, H, W) and an endless, reshuffled sequence of batches."""

    def __init__(self, pixels: np.ndarray, config: dict, batch: int, seed: int):
        first = config["first"]
        self.pixels = pixels[:first] if first else pixels
        self.low, self.high = config["range"]
        self.shuffle, self.seed = config["shuffle"], seed
        self.usable = len(self.pixels) // batch * batch

    def batch(self, position: int, count: int) -> np.ndarray:
        places = np.arange(position, position + count)
        chosen = [self.index(int(p)) for p in places]
        return self.pixels[chosen].astype(np.float64) / 255 * (self.high - self.low) + self.low

    def index(self, position: int) -> int:
        epoch, i = divmod(position, self.usable)
        if not self.shuffle:
            return i
        return int(shuffled_index(self.seed, epoch, np.array([i]), len(self.pixels))[0])


def read_idx(folder: str, split: str) -> np.ndarray:
    """The images of an MNIST-like folder, (count, 1, H, W) bytes."""
    stem = {"train": "train", "test": "t10k"}[split]
    path = os.path.join(folder, f"{stem}-images-idx3-ubyte.gz")
    with gzip.open(path) as f:
        data = f.read()
    magic, count, height, width = struct.unpack(">IIII", data[:16])
    if magic != 2051 or len(data) != 16 + count * height * width:
        raise ValueError(f"{path}: not an IDX file of images")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, 1, height, width)
