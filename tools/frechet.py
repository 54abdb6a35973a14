#!/usr/bin/env python3
"""Compares samples with MNIST: Frechet distance on the features of a small classifier, and the number of samples of each digit.

usage: frechet.py FOLDER_OF_PNG|FILE.npy ...        samples of ./apps/generate RUN -n 10000 --out FOLDER/,
                                                    or uint8 arrays (N, 28, 28)

The classifier (two convolutions, 128 features) is trained first, 3 epochs with a fixed seed, and kept in build/. Distances are
comparable only for the same classifier, so the distances of 10,000 test digits and of noise are printed, too. Needs torch, numpy
and PIL.
"""
import glob
import gzip
import os
import sys

import numpy as np
import torch
import torch.nn as nn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT = os.path.join(ROOT, "build", "frechet-classifier.pt")


def idx(name: str, header: int) -> np.ndarray:
    with gzip.open(os.path.join(ROOT, "data", "mnist", name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def pixels(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.copy()).float()[:, None] / 255


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(), nn.Flatten(),
                                      nn.Linear(32 * 49, 128), nn.ReLU())
        self.scores = nn.Linear(128, 10)

    def forward(self, x):
        return self.scores(self.features(x))


def train(images: np.ndarray, labels: np.ndarray) -> Classifier:
    torch.manual_seed(0)
    classifier = Classifier()
    if os.path.exists(KEPT):
        classifier.load_state_dict(torch.load(KEPT))
        return classifier
    optimizer = torch.optim.Adam(classifier.parameters(), 1e-3)
    for _ in range(3):
        order = torch.randperm(len(images)).numpy()
        for i in range(0, len(order), 128):
            batch = order[i:i + 128]
            loss = nn.functional.cross_entropy(classifier(pixels(images[batch])), torch.from_numpy(labels[batch].astype(np.int64)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    os.makedirs(os.path.dirname(KEPT), exist_ok=True)
    torch.save(classifier.state_dict(), KEPT)
    return classifier


def describe(classifier: Classifier, images: np.ndarray):
    """((mean, covariance) of the features, predicted digits)"""
    with torch.no_grad():
        features = torch.cat([classifier.features(pixels(images[i:i + 1000])) for i in range(0, len(images), 1000)])
        digits = classifier.scores(features).argmax(1).numpy()
    features = features.numpy().astype(float)
    return (features.mean(0), np.cov(features, rowvar=False)), digits


def frechet(a, b) -> float:
    """|m - n|^2 + tr(S + T - 2 sqrt(S T)). The square root is computed as that of the symmetric sqrt(S) T sqrt(S)."""
    (m, s), (n, t) = a, b
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = np.clip(np.linalg.eigvalsh(root @ t @ root), 0, None)
    return float(((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * np.sqrt(inner).sum())


def load(path: str) -> np.ndarray:
    if path.endswith(".npy"):
        return np.load(path)
    from PIL import Image
    return np.stack([np.array(Image.open(file)) for file in sorted(glob.glob(os.path.join(path, "*.png")))])


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        raise SystemExit(len(sys.argv) < 2)
    images = idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    classifier = train(images, idx("train-labels-idx1-ubyte.gz", 8))
    reference, _ = describe(classifier, images[:10000])
    test, digits = describe(classifier, idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28))
    noise, _ = describe(classifier, np.random.RandomState(0).randint(0, 256, (10000, 28, 28)).astype(np.uint8))
    accuracy = (digits == idx("t10k-labels-idx1-ubyte.gz", 8)).mean()
    print(f"classifier accuracy {accuracy:.4f}; test digits {frechet(reference, test):.1f}, noise {frechet(reference, noise):.0f}")
    for path in sys.argv[1:]:
        found, digits = describe(classifier, load(path))
        print(f"{path}: {frechet(reference, found):.1f}, digits 0-9 {np.bincount(digits, minlength=10).tolist()}", flush=True)


if __name__ == "__main__":
    main()
