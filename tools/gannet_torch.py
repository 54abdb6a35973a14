"""Gannet's networks, losses and optimizers in PyTorch, as a second, independent implementation of the C++ engine.

Takes an EFFECTIVE configuration (a run's config.json: lists expanded, expressions evaluated). Module names, parameter
order and layouts are torch's, which Gannet's traces and checkpoints also use. The step is in gannet_trainer.py.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import gannet_draws as draws
from gannet_draws import NETWORKS, Key

# ---- defaults --------------------------------------------------------------------------------------------------------

SECTIONS = {
    "data": {"set": "mnist", "path": "", "split": "train", "size": 0, "first": 0, "range": [-1, 1], "shuffle": True},
    "latent": {"size": 100, "distribution": "normal"},
    "init": {"conv": "torch", "linear": "torch", "std": 0.02, "bias": "torch", "gamma_std": 0},
    "objective": {"generator_loss": "non_saturating", "discriminator_loss": "mean", "bce_epsilon": 0, "real_label": 1,
                  "fake_label": 0, "critic_steps": 1, "generator_steps": 1, "update_order": "discriminator_first",
                  "fakes": "fresh", "accumulate": {}, "gradient_penalty": None, "weight_clip": None},
    "accumulate": {"discriminator": 1, "generator": 1, "reduction": "sum"},
    "gradient_penalty": {"weight": 10, "norm": "sample", "target": 1},
    "adam": {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0},
    "rmsprop": {"alpha": 0.99, "eps": 1e-8, "momentum": 0, "eps_inside_sqrt": False, "weight_decay": 0},
    "sgd": {"momentum": 0, "nesterov": False, "weight_decay": 0},
    "lion": {"betas": [0.9, 0.99], "weight_decay": 0},
}
LAYERS = {
    "linear": {"bias": True, "init": None},
    "conv2d": {"stride": 1, "padding": 0, "bias": True, "init": None},
    "conv_transpose2d": {"stride": 1, "padding": 0, "output_padding": 0, "bias": True, "init": None},
    "batch_norm": {"eps": 1e-5, "momentum": 0.1, "affine": True},
    "layer_norm": {"eps": 1e-5, "affine": True},
    "dropout": {"p": 0.5, "channelwise": False},
    "relu": {}, "leaky_relu": {"slope": 0.2}, "tanh": {}, "sigmoid": {}, "gelu": {}, "silu": {},
    "upsample": {"scale": 2}, "flatten": {}, "reshape": {}, "residual": {"main": [], "shortcut": []},
}


def with_defaults(given: dict | None, defaults: dict) -> dict:
    return {**defaults, **{k: v for k, v in (given or {}).items() if v is not None}}


def complete(config: dict) -> dict:
    """The configuration with every default filled in; config.json's nulls count as absent."""
    c = with_defaults(config, {"batch": 64, "seed": 0})
    for section in ("data", "latent", "init", "objective"):
        c[section] = with_defaults(config.get(section), SECTIONS[section])
    objective = c["objective"]
    objective["accumulate"] = with_defaults(objective["accumulate"], SECTIONS["accumulate"])
    if objective["gradient_penalty"] is not None:
        objective["gradient_penalty"] = with_defaults(objective["gradient_penalty"], SECTIONS["gradient_penalty"])
    return c


def optimizer_options(config: dict, network: str) -> dict:
    base = {k: v for k, v in config["optimizer"].items() if k not in NETWORKS}
    override = config["optimizer"].get(network) or {}
    if (override.get("type") or base["type"]) != base["type"]:
        base = {"lr": base["lr"]}  # another type has its own defaults
    merged = with_defaults(override, base)
    return with_defaults(merged, SECTIONS[merged["type"]])


# ---- layers ----------------------------------------------------------------------------------------------------------

def as_image(x: Tensor) -> Tensor:
    """A vector of F features enters a convolution as F x 1 x 1."""
    return x if x.dim() == 4 else x[:, :, None, None]


class Conv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(as_image(x))


class ConvTranspose2d(nn.ConvTranspose2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(as_image(x))


class Upsample(nn.Upsample):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(as_image(x))


class BatchNorm(nn.Module):
    """torch's BatchNorm1d and BatchNorm2d in one class. It accepts a single row per channel (variance 0), which torch refuses."""
    unbiased = True  # of the running variance; False in check_trace's self-test

    def __init__(self, channels: int, eps: float, momentum: float, affine: bool):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.register_parameter("weight", nn.Parameter(torch.ones(channels)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(channels)) if affine else None)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.numel() // x.shape[1]
        running = (self.running_mean, self.running_var)
        if not self.training or (rows > 1 and self.unbiased):
            return F.batch_norm(x, *running, self.weight, self.bias, self.training, self.momentum, self.eps)
        axes = [a for a in range(x.dim()) if a != 1]
        for statistic, batch in zip(running, (x.mean(axes), x.var(axes, unbiased=False))):
            statistic.mul_(1 - self.momentum).add_(self.momentum * batch.detach())
        return self.by_hand(x, axes)

    def by_hand(self, x: Tensor, axes: list[int]) -> Tensor:
        centred = x - x.mean(axes, keepdim=True)
        y = centred / (centred.square().mean(axes, keepdim=True) + self.eps).sqrt()
        if self.weight is None:
            return y
        shape = [-1 if a == 1 else 1 for a in range(x.dim())]
        return y * self.weight.view(shape) + self.bias.view(shape)


class Dropout(nn.Module):
    """x mask / (1 - p). The mask is set before the forward pass: (N, C, H, W), (N, F), or (N, C) channelwise."""

    def __init__(self, p: float, channelwise: bool, shape: tuple, leaf: int):
        super().__init__()
        self.p, self.leaf, self.shape = p, leaf, shape
        self.channelwise = channelwise
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        mask = self.mask if self.mask.dim() == x.dim() else self.mask[:, :, None, None]
        return x * mask / (1 - self.p)

    def draw(self, key: Key, samples: np.ndarray) -> np.ndarray:
        channels, spatial = self.shape[0], self.shape[1:]
        keep = 1 - self.p
        if self.channelwise or not spatial:
            return draws.bernoulli(key, samples, channels, keep)
        mask = draws.bernoulli(key, samples, channels * math.prod(spatial), keep)
        return mask.reshape(len(samples), *spatial, channels).transpose(0, 3, 1, 2)  # drawn NHWC


class Rectifier(nn.Module):
    """relu (slope 0) and leaky_relu. If x is within rounding of 0, its sign and therefore a part of the gradient are arbitrary.
    check_trace.py sets `sides` to choose the sign."""
    sides = None  # x -> booleans, True where the slope is 1

    def __init__(self, slope: float):
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        if Rectifier.sides is not None:
            return torch.where(Rectifier.sides(x.detach()), x, self.slope * x)
        return F.leaky_relu(x, self.slope) if self.slope else F.relu(x)


class Reshape(nn.Module):
    def __init__(self, shape: tuple):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


class Residual(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.shortcut(x)


class Builder:
    """Builds a list of layers and infers their shapes. Shapes are (C, H, W) or (F,), without the batch."""

    def __init__(self, image_shape: tuple):
        self.image_shape = tuple(image_shape)
        self.leaves = 0  # layers so far, containers included, in order

    def sequence(self, layers: list[dict], shape: tuple) -> tuple[nn.Sequential, tuple]:
        modules = []
        for entry in layers:
            module, shape = self.layer(entry, shape)
            modules.append(module)
        return nn.Sequential(*modules), shape

    def size(self, value, of_image: int) -> int:
        return of_image if value == "image" else int(value)

    def layer(self, entry: dict, shape: tuple) -> tuple[nn.Module, tuple]:
        kind, leaf = entry["layer"], self.leaves
        if kind not in LAYERS:
            raise ValueError(f"layer '{kind}' is not known; the configuration must be an effective one (no repeat)")
        self.leaves += 1
        k = with_defaults(entry, LAYERS[kind])
        image = shape if len(shape) == 3 else (*shape, 1, 1)
        if kind == "linear":
            if len(shape) != 1:
                raise ValueError(f"linear needs a vector, not {shape}; put a flatten before it")
            units = self.size(k["units"], math.prod(self.image_shape))
            return self.marked(nn.Linear(shape[0], units, k["bias"]), k), (units,)
        if kind == "conv2d":
            channels, (kernel, stride, padding) = self.size(k["channels"], self.image_shape[0]), conv_numbers(k)
            extent = [(n + 2 * padding - kernel) // stride + 1 for n in image[1:]]
            return self.marked(Conv2d(image[0], channels, kernel, stride, padding, bias=k["bias"]), k), (channels, *extent)
        if kind == "conv_transpose2d":
            channels, (kernel, stride, padding) = self.size(k["channels"], self.image_shape[0]), conv_numbers(k)
            extent = [(n - 1) * stride - 2 * padding + kernel + k["output_padding"] for n in image[1:]]
            module = ConvTranspose2d(image[0], channels, kernel, stride, padding, k["output_padding"], bias=k["bias"])
            return self.marked(module, k), (channels, *extent)
        if kind == "upsample":
            return Upsample(scale_factor=k["scale"]), (image[0], *(n * k["scale"] for n in image[1:]))
        if kind == "flatten":
            return nn.Flatten(), (math.prod(shape),)
        if kind == "reshape":
            target = self.image_shape if k["shape"] == "image" else tuple(k["shape"])
            return Reshape(target), target
        if kind == "residual":
            main, out = self.sequence(k["main"], shape)
            shortcut, other = self.sequence(k["shortcut"], shape)
            if out != other:
                raise ValueError(f"residual: main gives {out}, shortcut {other}")
            return Residual(main, shortcut), out
        if kind == "batch_norm":
            return BatchNorm(shape[0], k["eps"], k["momentum"], k["affine"]), shape
        if kind == "layer_norm":
            return nn.LayerNorm(shape, k["eps"], k["affine"]), shape
        if kind == "dropout":
            return Dropout(k["p"], k["channelwise"], shape, leaf), shape
        if kind in ("relu", "leaky_relu"):
            return Rectifier(k.get("slope", 0)), shape
        return {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU}[kind](), shape

    @staticmethod
    def marked(module: nn.Module, keys: dict) -> nn.Module:
        module.init = keys["init"]  # the layer's initialisation, or None
        return module


def conv_numbers(k: dict) -> tuple[int, int, int]:
    return k["kernel"], k["stride"], k["padding"]


def build_network(config: dict, network: str, image_shape: tuple, dtype=torch.float64) -> nn.Sequential:
    """The network with its documented initial values. named_parameters() has names without the network's name."""
    shape = (config["latent"]["size"],) if network == "generator" else tuple(image_shape)
    net, out = Builder(image_shape).sequence(config[network], shape)
    if network == "generator" and out != tuple(image_shape) and not config.get("allow_size_mismatch"):
        raise ValueError(f"the generator makes {out}, the data are {tuple(image_shape)}")
    initialise(net, network, config)
    return net.to(dtype)


# ---- initial values --------------------------------------------------------------------------------------------------

def initialise(net: nn.Module, network: str, config: dict) -> None:
    net.double()
    number = 0
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            key = Key(config["seed"], draws.initial_stream(network, number))
            value = initial_value(module, name, key, config["init"])
            if value is not None:
                parameter.data = torch.from_numpy(np.ascontiguousarray(value)).to(parameter.dtype)
            number += 1


def initial_value(module: nn.Module, name: str, key: Key, init: dict) -> np.ndarray | None:
    """None: the values of the module's constructor (ones and zeros)."""
    if isinstance(module, BatchNorm) and name == "weight" and init["gamma_std"]:
        return draws.normal(key, np.zeros(1), len(module.weight), 1, init["gamma_std"])[0]
    if not isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        return None
    weight = module.weight
    receptive = math.prod(weight.shape[2:])
    fan_in, fan_out = weight.shape[1] * receptive, weight.shape[0] * receptive  # torch's rule, transposed or not
    if name == "bias":
        if init["bias"] == "zeros":
            return np.zeros(len(module.bias))
        return scaled_draw("torch", key, len(module.bias), fan_in, fan_out, init)
    kind = module.init or init["linear" if isinstance(module, nn.Linear) else "conv"]
    flat = scaled_draw(kind, key, weight.numel(), fan_in, fan_out, init)
    if weight.dim() == 2:
        return flat.reshape(weight.shape)
    rows, columns, height, width = weight.shape
    return flat.reshape(rows, height, width, columns).transpose(0, 3, 1, 2)  # drawn in the engine's order (OC,R,S,C)


def scaled_draw(kind: str, key: Key, count: int, fan_in: int, fan_out: int, init: dict) -> np.ndarray:
    limit = {"torch": fan_in**-0.5, "glorot_uniform": (6 / (fan_in + fan_out))**0.5, "he_uniform": (6 / fan_in)**0.5}
    std = {"normal": init["std"], "glorot_normal": (2 / (fan_in + fan_out))**0.5, "he_normal": (2 / fan_in)**0.5}
    if kind in limit:
        return draws.uniform(key, np.zeros(1), count, -limit[kind], limit[kind])[0]
    return draws.normal(key, np.zeros(1), count, 0, std[kind])[0]


# ---- losses ----------------------------------------------------------------------------------------------------------

def bce(scores: Tensor, label: float, objective: dict) -> Tensor:
    target = torch.full_like(scores, label)
    if objective["loss"] == "bce_with_logits":
        return F.binary_cross_entropy_with_logits(scores, target)
    eps = objective["bce_epsilon"]
    return F.binary_cross_entropy(scores.clamp(eps, 1 - eps) if eps else scores, target)


def discriminator_loss(real: Tensor, fake: Tensor, objective: dict) -> Tensor:
    """The loss of the scores, without the penalty."""
    kind = objective["loss"]
    if kind == "wasserstein":
        return fake.mean() - real.mean()
    if kind == "hinge":
        total = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    elif kind == "least_squares":
        total = (real - objective["real_label"]).square().mean() + (fake - objective["fake_label"]).square().mean()
    else:
        total = bce(real, objective["real_label"], objective) + bce(fake, objective["fake_label"], objective)
    return total / 2 if objective["discriminator_loss"] == "mean" else total


def generator_loss(fake: Tensor, objective: dict) -> Tensor:
    kind = objective["loss"]
    if kind in ("wasserstein", "hinge"):
        return -fake.mean()
    if kind == "least_squares":
        return (fake - objective["real_label"]).square().mean()
    if objective["generator_loss"] == "saturating":
        return -bce(fake, objective["fake_label"], objective)
    return bce(fake, objective["real_label"], objective)


def penalty_of_gradient(gradient: Tensor, norm: str, target: float) -> Tensor:
    """mean (norm - target)^2, with one norm per sample, per pixel (over its channels), or for the whole batch."""
    axes = {"sample": list(range(1, gradient.dim())), "channel": [1], "batch": list(range(gradient.dim()))}[norm]
    return ((gradient.square().sum(axes) + 1e-12).sqrt() - target).square().mean()


def interpolate(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    return fake + eps.view(-1, *[1] * (real.dim() - 1)) * (real - fake)


def gradient_penalty(critic, points: Tensor, penalty: dict) -> Tensor:
    points = points.detach().requires_grad_(True)
    gradient = torch.autograd.grad(critic(points).sum(), points, create_graph=True)[0]
    return penalty["weight"] * penalty_of_gradient(gradient, penalty["norm"], penalty["target"])


# ---- optimizers ------------------------------------------------------------------------------------------------------

class RmspropInside(torch.optim.RMSprop):
    """TensorFlow's RMSprop: eps inside the square root."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad + group["weight_decay"] * p
                v = self.state[p]["square_avg"].mul_(group["alpha"]).add_((1 - group["alpha"]) * g * g)
                scaled = g / (v + group["eps"]).sqrt()
                if group["momentum"]:
                    scaled = self.state[p]["momentum_buffer"].mul_(group["momentum"]).add_(scaled)
                p.sub_(group["lr"] * scaled)


class Lion(torch.optim.Optimizer):
    """arXiv 2302.06675, Algorithm 2."""

    def __init__(self, parameters: list[Tensor], lr: float, betas: list[float], weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p]["exp_avg"]
                direction = (beta1 * m + (1 - beta1) * p.grad).sign()
                p.sub_(group["lr"] * (direction + group["weight_decay"] * p))
                m.mul_(beta2).add_((1 - beta2) * p.grad)


def build_optimizer(options: dict, parameters: list[Tensor]) -> torch.optim.Optimizer:
    o, decay = options, options["weight_decay"]
    if o["type"] == "adam":
        return torch.optim.Adam(parameters, o["lr"], tuple(o["betas"]), o["eps"], decay)
    if o["type"] == "rmsprop":
        kind = RmspropInside if o["eps_inside_sqrt"] else torch.optim.RMSprop
        return kind(parameters, o["lr"], o["alpha"], o["eps"], decay, o["momentum"])
    if o["type"] == "lion":
        return Lion(parameters, o["lr"], o["betas"], decay)
    return torch.optim.SGD(parameters, o["lr"], o["momentum"], 0, decay, o["nesterov"])


def moment_names(options: dict) -> list[str]:
    momentum = ["momentum_buffer"] if options.get("momentum") else []
    return {"adam": ["exp_avg", "exp_avg_sq"], "rmsprop": ["square_avg"] + momentum, "sgd": momentum, "lion": ["exp_avg"]}[options["type"]]
