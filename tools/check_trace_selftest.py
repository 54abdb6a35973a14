"""Self-test of check_trace: correct traces written by the torch trainer must pass, in float64 and float32, and each trace with
one of a list of typical mistakes must fail. Needs no data: the images are random bytes."""
import copy
import json
import os
import tempfile
from typing import Callable

import numpy as np
import torch

import check_trace
import gannet_draws as draws
import gannet_torch as gt
import kinks
from gannet_draws import Images
from gannet_trainer import Recorder, Trainer

LEAKY = {"layer": "leaky_relu", "slope": 0.2}
CONV = {"layer": "conv2d", "channels": 4, "kernel": 4, "stride": 2, "padding": 1}
GROW = {"layer": "conv_transpose2d", "channels": 4, "kernel": 4, "stride": 2, "padding": 1}
ADAM = {"type": "adam", "lr": 2e-4, "betas": [0.5, 0.999]}

MODELS = {
    "mlp": {  # the fakes of the generator's update, used again by the discriminator
        "latent": {"size": 5},
        "generator": [{"layer": "linear", "units": 12}, {"layer": "batch_norm", "eps": 0.8}, LEAKY,
                      {"layer": "linear", "units": "image"}, {"layer": "tanh"}, {"layer": "reshape", "shape": "image"}],
        "discriminator": [{"layer": "flatten"}, {"layer": "linear", "units": 9}, LEAKY, {"layer": "dropout", "p": 0.3},
                          {"layer": "linear", "units": 1}, {"layer": "sigmoid"}],
        "objective": {"loss": "bce", "update_order": "generator_first", "fakes": "reuse", "real_label": 0.9},
        "optimizer": ADAM, "batch": 6},
    "conv": {  # the fakes of the discriminator's update, accumulation, dropout of channels, RMSprop with momentum
        "latent": {"size": 3, "distribution": "uniform"}, "init": {"conv": "normal", "linear": "glorot_normal", "gamma_std": 0.02},
        "generator": [{"layer": "conv_transpose2d", "channels": 6, "kernel": 2, "bias": False}, {"layer": "batch_norm"}, {"layer": "relu"},
                      GROW, {"layer": "batch_norm"}, {"layer": "relu"}, {**GROW, "channels": "image"}, {"layer": "tanh"}],
        "discriminator": [CONV, LEAKY, {"layer": "dropout", "channelwise": True}, {**CONV, "bias": False}, {"layer": "batch_norm"}, LEAKY,
                          {"layer": "conv2d", "channels": 1, "kernel": 2, "init": "he_uniform"}],
        "objective": {"loss": "least_squares", "discriminator_loss": "sum", "fakes": "reuse", "critic_steps": 2, "generator_steps": 2,
                      "accumulate": {"discriminator": 2, "generator": 2, "reduction": "mean"}},
        "optimizer": {"type": "rmsprop", "lr": 1e-3, "momentum": 0.5, "generator": {"eps_inside_sqrt": True}}, "batch": 4},
    "penalty": {  # gradient penalty, residual blocks, layer norm, dropout in all three roles
        "latent": {"size": 4},
        "generator": [{"layer": "linear", "units": 16}, {"layer": "reshape", "shape": [4, 2, 2]},
                      {"layer": "residual", "main": [{"layer": "batch_norm"}, {"layer": "relu"}, {"layer": "upsample"},
                                                     {"layer": "conv2d", "channels": 4, "kernel": 3, "padding": 1},
                                                     {"layer": "dropout", "p": 0.2}],
                       "shortcut": [{"layer": "upsample"}]},
                      {**GROW, "channels": "image"}, {"layer": "tanh"}],
        "discriminator": [CONV, LEAKY,
                          {"layer": "residual", "main": [{"layer": "layer_norm"}, LEAKY, {"layer": "dropout", "p": 0.2},
                                                         {"layer": "conv2d", "channels": 4, "kernel": 3, "padding": 1}]},
                          LEAKY, {"layer": "flatten"}, {"layer": "linear", "units": 1}],
        "objective": {"loss": "wasserstein", "critic_steps": 2, "gradient_penalty": {"weight": 10, "norm": "sample"}},
        "optimizer": {"type": "adam", "lr": 1e-4, "betas": [0, 0.9], "discriminator": {"lr": 4e-4, "weight_decay": 0.01}}, "batch": 5},
    "clip": {
        "latent": {"size": 4}, "init": {"bias": "zeros", "linear": "he_normal"},
        "generator": [{"layer": "linear", "units": "image"}, {"layer": "tanh"}, {"layer": "reshape", "shape": "image"}],
        "discriminator": [{"layer": "flatten"}, {"layer": "linear", "units": 8}, {"layer": "relu"}, {"layer": "linear", "units": 1}],
        "objective": {"loss": "wasserstein", "critic_steps": 3, "weight_clip": 0.05},
        "optimizer": {"type": "rmsprop", "lr": 1e-3}, "batch": 4},
    "sgd": {  # hinge; a batch of one through a batch norm of vectors
        "latent": {"size": 4},
        "generator": [{"layer": "linear", "units": 7}, {"layer": "batch_norm", "affine": False}, {"layer": "linear", "units": "image"},
                      {"layer": "reshape", "shape": "image"}],
        "discriminator": [{"layer": "flatten"}, {"layer": "linear", "units": 1}],
        "objective": {"loss": "hinge"}, "optimizer": {"type": "sgd", "lr": 1e-2, "momentum": 0.9, "nesterov": True, "generator": {"type": "adam"}}, "batch": 1},
}
SHAPE = (1, 8, 8)
STEPS = 3


def make_trace(config: dict, pixels: np.ndarray, dtype=torch.float64, change: Callable[[Trainer], None] | None = None):
    trainer = Trainer(config, pixels.shape[1:], None, dtype)
    trainer.images = Images(pixels, trainer.config["data"], trainer.batch, trainer.seed)
    if change:
        change(trainer)
    trainer.observer = Recorder()
    trainer.see_state("init")
    for _ in range(STEPS):
        trainer.step()
    metadata = {"order": " ".join(trainer.schedule()), "reuse": trainer.reused(), "config": json.dumps(config)}
    return trainer.observer.tensors, metadata


# ---- mistakes: each gives a wrong trace ------------------------------------------------------------------------------

def with_objective(config: dict, **changes) -> dict:
    wrong = copy.deepcopy(config)
    wrong["objective"].update(changes)
    return wrong


def swap_gradients(tensors: dict) -> None:
    a, b = "s0.d0.grad.discriminator.1.weight", "s1.d0.grad.discriminator.1.weight"
    tensors[a], tensors[b] = tensors[b], tensors[a]


def flip_filter_gradient(tensors: dict) -> None:
    name = "s0.g0.grad.generator.3.weight"
    tensors[name] = np.ascontiguousarray(tensors[name].swapaxes(2, 3))


def shift_mask(tensors: dict) -> None:
    name = "s0.d1.mask.discriminator.2.main.2.interpolated"
    tensors[name] = np.roll(tensors[name], 1, -1)


def biased_variance(trainer: Trainer) -> None:
    for net in trainer.nets.values():
        for module in net.modules():
            if isinstance(module, gt.BatchNorm):
                module.unbiased = False


def unordered_data(trainer: Trainer) -> None:
    trainer.images.shuffle = False


def late_corrections(trainer: Trainer) -> None:
    set_moments = trainer.set_moments

    def shifted(network, parameter, moments):
        set_moments(network, parameter, moments)
        trainer.optimizers[network].state[parameter]["step"] += 1
    trainer.set_moments = shifted


def larger_rate(trainer: Trainer) -> None:
    trainer.optimizers["generator"].param_groups[0]["lr"] *= 1.01


def same_latents(trainer: Trainer) -> None:
    """Does not draw new latents for each update."""
    draw = trainer.draw_latents
    trainer.draw_latents = lambda update, m: draw(0, m)


# (description, model, changes of the traced configuration, mistake of the trainer, mistake of the trace)
MISTAKES = [
    ("gradients of two steps swapped", "mlp", {}, None, swap_gradients),
    ("a filter's gradient transposed", "conv", {}, None, flip_filter_gradient),
    ("penalty over channels instead of samples", "penalty", {"gradient_penalty": {"weight": 10, "norm": "channel"}}, None, None),
    ("penalty not weighted", "penalty", {"gradient_penalty": {"weight": 1}}, None, None),
    ("biased variance in running_var", "mlp", {}, biased_variance, None),
    ("weights not clipped", "clip", {"weight_clip": None}, None, None),
    ("accumulated gradients not averaged", "conv", {"accumulate": {"discriminator": 2, "generator": 2, "reduction": "sum"}}, None, None),
    ("label not smoothed", "mlp", {"real_label": 1}, None, None),
    ("loss not halved", "mlp", {"discriminator_loss": "sum"}, None, None),
    ("fakes drawn again instead of reused", "mlp", {"fakes": "fresh"}, None, None),
    ("Adam's bias correction one step late", "mlp", {}, late_corrections, None),
    ("the learning rate too large by 1 %", "clip", {}, larger_rate, None),
    ("a mask that differs from the drawn one", "penalty", {}, None, shift_mask),
    ("the same latents for every update", "penalty", {}, same_latents, None),
    ("images not shuffled", "mlp", {}, unordered_data, None),
    ("a missing name", "mlp", {}, None, lambda t: t.pop("s1.g0.loss")),
    ("an additional name", "mlp", {}, None, lambda t: t.update({"s0.d1.loss": np.zeros(())})),
    ("a shape with an additional axis", "mlp", {}, None, lambda t: t.update({"s0.d0.loss": np.zeros(1)})),
    ("NaN in a gradient", "mlp", {}, None, lambda t: t["s0.d0.grad.discriminator.1.bias"].fill(np.nan)),
]


def known_answers() -> None:
    """Random123's test vectors, and a permutation."""
    vectors = {(0, 0, 0, 0, 0): "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
               (0xFFFFFFFF,) * 4 + (2**64 - 1,): "408f276d 41c83b0e a20bc7c6 6d5451fd",
               (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0x299F31D0A4093822): "d16cfe09 94fdcceb 5001e420 24126ea1"}
    for (*counter, seed), expected in vectors.items():
        assert " ".join(f"{int(w):08x}" for w in draws.philox(*counter, seed)) == expected, "Philox differs from Random123"
    for count in (1, 2, 5, 100, 1000):
        order = draws.shuffled_index(7, 3, np.arange(count), count)
        assert sorted(order) == list(range(count)), f"the shuffle of {count} is not a permutation"


def kink_slack() -> None:
    """One of three rectifiers is near its kink. Only the gradient of its weight gets a tolerance: the change if the input has the
    other sign."""
    w, c = torch.tensor([1e-9, 1.0, -1.0], dtype=torch.float64, requires_grad=True), torch.tensor([3.0, 5.0, 7.0], dtype=torch.float64)
    rectifier = gt.Rectifier(0.2)

    def gradients():
        return {"w": torch.autograd.grad((rectifier(w) * c).sum(), w)[0]}
    found, units = kinks.slack(gradients(), gradients, 1e-5)
    assert units == 1 and torch.allclose(found["w"], torch.tensor([0.8 * 3, 0, 0], dtype=torch.float64)), "kink slack"


def round_trip(tensors: dict, metadata: dict) -> tuple[dict, dict]:
    """Writes and reads a file, like a real trace."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.safetensors")
        draws.write_safetensors(path, tensors, metadata)
        return draws.read_safetensors(path)


def run() -> int:
    known_answers()
    kink_slack()
    pixels = np.random.default_rng(0).integers(0, 256, (23, *SHAPE), np.uint8)
    failed = 0
    for name, config in MODELS.items():
        for dtype in (torch.float64, torch.float32):
            checker = check_trace.check(*round_trip(*make_trace(config, pixels, dtype)), config, pixels)
            worst = max(error for kind, (error, _) in checker.worst.items() if kind not in check_trace.DRAWS)
            print(f"{'FAIL' if checker.failures else 'ok  '} a correct trace of {name}, {str(dtype)[6:]}, passes: worst error {worst:.1e}")
            if checker.failures:
                check_trace.report(checker)
                failed += 1
    for what, model, objective, trainer_mistake, trace_mistake in MISTAKES:
        config = MODELS[model]
        tensors, metadata = make_trace(with_objective(config, **objective), pixels, change=trainer_mistake)
        if trace_mistake:
            trace_mistake(tensors)
        metadata["reuse"] = Trainer(config, SHAPE).reused()  # so that only the numbers can reveal the mistake
        # the tolerance for a float32 engine, so that these mistakes are also detected there
        checker = check_trace.check(tensors, metadata, config, pixels, check_trace.TOLERANCES["float32"])
        print(f"{'ok  ' if checker.failures else 'FAIL'} {what}: {checker.failures[0] if checker.failures else 'NOT FOUND'}")
        failed += not checker.failures
    print("self-test", "FAILED" if failed else "passed")
    return 1 if failed else 0
