#!/usr/bin/env python3
"""Recomputes the steps of a trace in PyTorch in float64 and compares the results.

usage: check_trace.py [RUN | CONFIG.json] TRACE.safetensors [--tolerance T] [--data FOLDER] [--given-init] [--verbose]
       check_trace.py --self-test

TRACE is the file of `train --trace`. The configuration is config.json of the run folder RUN, or by default the one in the
trace's metadata. Every quantity is recomputed from RECORDED quantities, so errors do not accumulate: fakes and losses from
the state before the step, real images, latents, weights and masks; updates from the recorded gradients by torch's optimizer.
Random draws are compared with the documented generator, real images with the IDX files of --data. The exit status is 1 if a
number, a shape or a name is not as expected.
"""
import argparse
import json
import os
import re
import sys

import numpy as np
import torch

import gannet_draws as draws
import gannet_trainer
import kinks
from gannet_draws import Images

# The default tolerance for each dtype of a trace. --tolerance does not apply to random draws, which are inputs; they may differ
# by a few ulp, because the engine has its own log and sincos.
TOLERANCES = {"float32": 2e-4, "float64": 1e-9}
DRAWS = {"real images", "latents", "interpolation weights", "masks", "initial values"}
DRAW_TOLERANCES = {"float32": 1e-5, "float64": 1e-13}


# A rectifier input below this, relative to the layer's largest input, may have either sign.
KINK_WIDTHS = {"float32": 1e-5, "float64": 1e-13}


class Mismatch(Exception):
    """The check cannot continue."""


class Checker(gannet_trainer.Observer):
    """Compares the trainer's numbers with a trace, then continues with the trace's numbers."""

    def __init__(self, tensors: dict[str, np.ndarray], tolerance: float | None, given_init: bool = False):
        self.tensors, self.given_init = tensors, given_init
        floats = {t.dtype.name for t in tensors.values() if t.dtype.kind == "f"}
        self.type = "float32" if "float32" in floats else "float64"
        self.tolerance = TOLERANCES[self.type] if tolerance is None else tolerance
        self.worst: dict[str, tuple[float, str]] = {}
        self.counts: dict[str, int] = {}
        self.failures: list[str] = []
        self.skipped: dict[str, int] = {}
        self.used: set[str] = set()
        self.at_kinks: list[tuple[str, int]] = []  # updates with gradients that needed the tolerance for kinks
        self.try_kinks = True
        self.updates_per_step = 1
        self.before: dict[str, torch.Tensor] = {}  # parameters before the step, by PARAM

    def take(self, name: str, shape: tuple, optional: bool):
        if name not in self.tensors:
            if optional:
                return None
            raise Mismatch(f"{name} is missing from the trace")
        self.used.add(name)
        value = self.tensors[name]
        if shape is not None and tuple(value.shape) != shape:
            raise Mismatch(f"{name} has shape {tuple(value.shape)}, expected {shape}")
        return value

    def see(self, kind, name, value, scale=None, optional=False):
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else () if kind == "step" else None
        recorded = self.take(name, shape, optional)
        if recorded is None:
            return value
        if kind == "step":
            if int(recorded) != value and not (self.given_init and name.startswith("init.")):
                self.fail(f"{name} is {int(recorded)}, expected {value}")
            return int(recorded)
        recorded = torch.from_numpy(recorded.astype(np.float64))
        if value is None or (self.given_init and name.startswith("init.")):
            self.skipped[kind] = self.skipped.get(kind, 0) + 1
        elif kind == "parameters":
            self.compare_update(name, recorded, value)
        else:
            self.compare(kind, name, recorded, value, scale)
        if kind in ("parameters", "initial values"):
            self.before[name.split(".", 1)[1].removeprefix("after.")] = recorded.clone()  # the optimizer works in place
        return recorded

    def see_gradients(self, prefix, gradients, again):
        recorded = {name: self.recorded_gradient(f"{prefix}.grad.{name}", g) for name, g in gradients.items()}
        scales = gradient_scales(gradients, recorded)
        errors = {name: (recorded[name] - g).abs() for name, g in gradients.items()}

        def too_large() -> bool:
            return any(float(e.max()) > self.tolerance * scales[name] for name, e in errors.items())

        if self.try_kinks and too_large():
            slack, units = kinks.slack(gradients, again, KINK_WIDTHS[self.type])
            errors = {name: (e - slack[name]).clamp(min=0) for name, e in errors.items()}
            self.at_kinks.append((prefix, units))
            self.try_kinks = not too_large()  # expensive, so it is not tried again after it failed to explain an error
        kind = "gradients of D" if prefix.rpartition(".")[2][0] == "d" else "gradients of G"
        for name, e in errors.items():
            self.note(kind, f"{prefix}.grad.{name}", float(e.max()) / scales[name])
        return recorded

    def recorded_gradient(self, name: str, like: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.take(name, tuple(like.shape), False).astype(np.float64))

    def compare_update(self, name: str, recorded: torch.Tensor, value: torch.Tensor) -> None:
        """A parameter's error is relative to its largest change in this step, after an allowance for rounding the
        parameter itself: a change is often smaller than a thousandth of it."""
        before = self.before[name.split(".", 1)[1].removeprefix("after.")]
        change = float((value - before).abs().max())
        ulp = 2.0**-23 if self.type == "float32" else 2.0**-52
        rounding = self.updates_per_step * ulp * float(torch.maximum(value.abs(), before.abs()).max())
        error = float(np.maximum((recorded - value).abs().max().item() - rounding, 0))
        nan = bool(torch.isnan(recorded).any())
        self.note("parameters after a step", name, float("nan") if nan else error / change if change else error)

    def compare(self, kind: str, name: str, recorded: torch.Tensor, value: torch.Tensor, scale: float | None) -> None:
        value = value.double()
        if scale is None:
            scale = max(float(value.abs().max()), float(recorded.abs().max())) if value.numel() else 1.0
        error = float((recorded - value).abs().max()) if value.numel() else 0.0
        self.note(kind, name, error / scale if scale else error)

    def limit(self, kind: str) -> float:
        return DRAW_TOLERANCES[self.type] if kind in DRAWS else self.tolerance

    def note(self, kind: str, name: str, error: float) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if not error <= self.worst.get(kind, (-1.0, ""))[0]:  # NaN is worst
            self.worst[kind] = (error, name)
        if not error <= self.limit(kind):
            self.fail(f"{kind}: {name} is off by {error:.3g} (limit {self.limit(kind):.3g})")

    def fail(self, text: str) -> None:
        self.failures.append(text)

    def check_nothing_left(self) -> None:
        extra = sorted(set(self.tensors) - self.used)
        if extra:
            self.fail(f"{len(extra)} unexpected names in the trace: {', '.join(extra[:5])}")


def gradient_scales(gradients: dict[str, torch.Tensor], recorded: dict[str, torch.Tensor]) -> dict[str, float]:
    """The scale of a gradient's error: the largest element of its layer's gradients, or of the network's gradients if those of
    the layer are all zero. The gradient of a bias before a batch norm is zero except for rounding errors."""
    largest: dict[str, float] = {}
    for name, g in gradients.items():
        layer = name.rpartition(".")[0]
        largest[layer] = max(largest.get(layer, 0.0), float(g.abs().max()))
    everywhere = max(largest.values(), default=0.0)
    if not everywhere:
        everywhere = max((float(r.abs().max()) for r in recorded.values()), default=0.0) or 1.0
    return {name: layer if (layer := largest[name.rpartition(".")[0]]) > 1e-12 * everywhere else everywhere for name in gradients}


def traced_steps(tensors: dict[str, np.ndarray]) -> list[int]:
    steps = sorted({int(m[1]) for m in (re.match(r"s(\d+)\.", name) for name in tensors) if m})
    if not steps:
        raise Mismatch("the trace holds no step (no name begins with s0.)")
    if steps != list(range(steps[0], steps[0] + len(steps))):
        raise Mismatch(f"the trace's steps are not consecutive: {steps}")
    return steps


def image_shape(tensors: dict[str, np.ndarray], first: int) -> tuple:
    name = f"s{first}.d0.real"
    if name not in tensors:
        raise Mismatch(f"{name} is missing from the trace")
    return tensors[name].shape[1:]


def check_metadata(checker: Checker, trainer: gannet_trainer.Trainer, metadata: dict[str, str]) -> None:
    for key, expected in (("order", " ".join(trainer.schedule())), ("reuse", trainer.reused())):
        if metadata.get(key, "") != expected:
            checker.fail(f"metadata \"{key}\" is \"{metadata.get(key, '')}\", expected \"{expected}\"")


def check(tensors: dict[str, np.ndarray], metadata: dict[str, str], config: dict, pixels: np.ndarray | None = None,
          tolerance: float | None = None, given_init: bool = False) -> Checker:
    checker = Checker(tensors, tolerance, given_init)
    try:
        steps = traced_steps(tensors)
        trainer = gannet_trainer.Trainer(config, image_shape(tensors, steps[0]))
        data = trainer.config["data"]
        if pixels is not None:
            trainer.images = Images(pixels, data, trainer.batch, trainer.seed)
        checker.given_init |= steps[0] > 0  # a resumed run does not begin with an initial state
        checker.updates_per_step = len(trainer.schedule())
        trainer.observer, trainer.step_number = checker, steps[0]
        check_metadata(checker, trainer, metadata)
        trainer.see_state("init")
        for _ in steps:
            trainer.step()
        checker.check_nothing_left()
    except Mismatch as e:
        checker.fail(str(e))
    return checker


def report(checker: Checker, verbose: bool = False) -> None:
    for kind, (error, name) in checker.worst.items():
        mark = "ok  " if error <= checker.limit(kind) else "FAIL"
        print(f"{mark} {kind:26s} {checker.counts[kind]:4d} tensors, worst error {error:.2e} (limit {checker.limit(kind):.0e})  {name}")
    for kind, count in checker.skipped.items():
        print(f"--   {kind:26s} {count:4d} tensors used without a check" + (" (no --data, or resized)" if kind == "real images" else ""))
    for prefix, units in checker.at_kinks:
        print(f"--   {prefix}: compared within the effect on gradients of {units} rectifiers within rounding of their kink")
    shown = checker.failures if verbose else checker.failures[:5]
    for text in shown:
        print(f"check_trace: {text}", file=sys.stderr)
    if len(shown) < len(checker.failures):
        print(f"check_trace: and {len(checker.failures) - len(shown)} more (--verbose lists them)", file=sys.stderr)


def load_config(path: str | None, metadata: dict[str, str]) -> dict:
    if path is None:
        if "config" not in metadata:
            raise Mismatch("the trace's metadata have no \"config\": give the run or its config.json")
        return json.loads(metadata["config"])
    with open(os.path.join(path, "config.json") if os.path.isdir(path) else path) as f:
        return json.load(f)


def load_pixels(folder: str | None, config: dict) -> np.ndarray | None:
    """The data set's bytes, or None if this program cannot compute them (no folder, another set, an antialiased resize)."""
    data = config.get("data") or {}
    if folder is None or (data.get("set") or "mnist") != "mnist" or (data.get("channels") or 1) != 1:
        return None
    pixels = draws.read_idx(folder, data.get("split") or "train")
    return pixels if (data.get("size") or pixels.shape[-1]) == pixels.shape[-1] else None


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("paths", nargs="*", metavar="PATH")
    p.add_argument("--tolerance", type=float, help="largest relative error (default 2e-4 for float32, 1e-9 for float64)")
    p.add_argument("--data", help="folder of the IDX .gz files, to check the real images")
    p.add_argument("--given-init", action="store_true", help="the run began with --init: initial values are not random draws")
    p.add_argument("--verbose", action="store_true", help="list every failure")
    p.add_argument("--self-test", action="store_true")
    a = p.parse_args()
    if a.self_test:
        import check_trace_selftest
        return check_trace_selftest.run()
    if len(a.paths) not in (1, 2):
        p.error("give [RUN | CONFIG.json] and TRACE.safetensors")
    try:
        tensors, metadata = draws.read_safetensors(a.paths[-1])
        config = load_config(a.paths[0] if len(a.paths) == 2 else None, metadata)
        if "classifier" in config:
            raise Mismatch("this is the trace of a classifier: only traces of GANs can be recomputed")
        pixels = load_pixels(a.data, config)
    except (OSError, ValueError, KeyError, Mismatch) as e:
        print(f"check_trace: {e}", file=sys.stderr)
        return 1
    checker = check(tensors, metadata, config, pixels, a.tolerance, a.given_init)
    report(checker, a.verbose)
    print("FAILED" if checker.failures else "passed", a.paths[-1])
    return 1 if checker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
