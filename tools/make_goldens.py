#!/usr/bin/env python3
"""Writes tests/goldens/ops.safetensors: ops in PyTorch in float64, with gradients of first and second order.

usage: make_goldens.py [--out FILE]

tools/README.md has the names. A case has differentiable inputs in.K and outputs out.0 (out.1, ... are outputs without a
cotangent). Then grad.K = d <out.0, dout> / d in.K. With the cotangents ddin.K of these gradients,
grad2.K = d (sum_K <grad.K, ddin.K>) / d in.K, and grad2.dout is the same derivative by dout. Layouts are torch's.
"""
import argparse
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import gannet_torch as gt
from gannet_draws import write_safetensors

SLOPE = 0.2
ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, SLOPE), "tanh": torch.tanh,
               "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu}


class Goldens:
    """Collects cases. Every case has its own generator, so a new case does not change others."""

    def __init__(self):
        self.tensors: dict[str, np.ndarray] = {}
        self.metadata: dict[str, str] = {}

    def put(self, name: str, value: Tensor) -> None:
        self.tensors[f"case.{name}"] = value.detach().numpy().astype(np.float64)

    def describe(self, name: str, op: str, inputs: dict, params: dict, orders: int, **more) -> None:
        entry = {"op": op, "inputs": list(inputs), "layouts": [layout for layout, _ in inputs.values()], "params": params,
                 "orders": orders, **more}
        self.metadata[f"case.{name}"] = json.dumps(entry)

    def case(self, name: str, op: str, f, inputs: dict[str, tuple[str, Tensor]], out_layout: str, params: dict,
             constants: dict[str, tuple[str, Tensor]] | None = None, extra=None, orders: int = 2) -> None:
        """f(*inputs) -> output. `inputs` and `constants`: name -> (layout, value). `extra`: outputs without a cotangent."""
        rng = torch.Generator().manual_seed(sum(map(ord, name)))
        xs = [x.detach().clone().requires_grad_(True) for _, x in inputs.values()]
        y = f(*xs)
        dout = torch.randn(y.shape, generator=rng, dtype=torch.float64).requires_grad_(True)
        grads = torch.autograd.grad(y, xs, dout, create_graph=orders > 1)
        self.describe(name, op, inputs, params, orders, out_layout=out_layout, constants=list(constants or {}),
                      constant_layouts=[layout for layout, _ in (constants or {}).values()], outputs=["y", *(extra or {})])
        for k, x in enumerate(xs):
            self.put(f"{name}.in.{k}", x)
        for k, (_, value) in enumerate((constants or {}).values()):
            self.put(f"{name}.const.{k}", value)
        for k, value in enumerate([y, *(extra or {}).values()]):
            self.put(f"{name}.out.{k}", value)
        self.put(f"{name}.dout", dout)
        for k, g in enumerate(grads):
            self.put(f"{name}.grad.{k}", g)
        if orders < 2:
            return
        ddin = [torch.randn(g.shape, generator=rng, dtype=torch.float64) for g in grads]
        total = sum((g * d).sum() for g, d in zip(grads, ddin))
        second = torch.autograd.grad(total, xs + [dout], allow_unused=True)
        for k, d in enumerate(ddin):
            self.put(f"{name}.ddin.{k}", d)
        for label, g, like in zip([*map(str, range(len(xs))), "dout"], second, xs + [dout]):
            self.put(f"{name}.grad2.{label}", torch.zeros_like(like) if g is None else g)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + 1000 * len(shape) + sum(shape)), dtype=torch.float64)


def activation_params(act: str) -> dict:
    return {"activation": act, "slope": SLOPE if act == "leaky_relu" else 0}


# ---- matrix products and convolutions --------------------------------------------------------------------------------

def linear_cases(g: Goldens) -> None:
    for act, (n, inputs, outputs) in {"leaky_relu": (5, 7, 3), "tanh": (3, 4, 6), "sigmoid": (2, 9, 1), "relu": (4, 3, 5),
                                      "none": (1, 5, 4), "gelu": (3, 6, 4), "silu": (4, 5, 2)}.items():
        ins = {"x": ("NF", random(n, inputs)), "weight": ("OI", random(outputs, inputs, seed=1)), "bias": ("F", random(outputs))}
        g.case(f"linear_{act}", "linear", lambda x, w, b, act=act: ACTIVATIONS[act](F.linear(x, w, b)), ins, "NF", activation_params(act))


# batch, in channels, out channels, height, width, kernel, stride, padding, activation
CONV = [(2, 2, 3, 5, 6, 3, 1, 1, "leaky_relu"), (1, 3, 2, 4, 3, 1, 1, 0, "none"), (2, 1, 2, 7, 6, 4, 2, 1, "leaky_relu"),
        (1, 2, 3, 7, 5, 5, 1, 2, "tanh"), (1, 2, 2, 7, 8, 7, 1, 3, "relu"), (2, 2, 1, 8, 7, 3, 3, 0, "sigmoid"),
        (1, 3, 2, 7, 7, 4, 3, 2, "none"), (2, 1, 3, 6, 5, 1, 2, 0, "leaky_relu"), (1, 2, 2, 5, 7, 5, 2, 3, "none"),
        (2, 3, 2, 3, 3, 3, 1, 0, "none"), (3, 1, 1, 5, 4, 4, 1, 3, "tanh"), (1, 5, 1, 4, 4, 4, 1, 0, "sigmoid")]


def conv_cases(g: Goldens) -> None:
    for n, c, out, h, w, kernel, stride, padding, act in CONV:
        ins = {"x": ("NCHW", random(n, c, h, w)), "weight": ("OIHW", random(out, c, kernel, kernel, seed=1)), "bias": ("F", random(out))}
        params = {"kernel": kernel, "stride": stride, "padding": padding, **activation_params(act)}
        g.case(f"conv2d_k{kernel}_s{stride}_p{padding}", "conv2d",
               lambda x, wt, b, a=act, s=stride, p=padding: ACTIVATIONS[a](F.conv2d(x, wt, b, s, p)), ins, "NCHW", params)


# ..., kernel, stride, padding, output_padding, activation
CONV_TRANSPOSE = [(2, 3, 2, 1, 1, 7, 1, 0, 0, "relu"), (2, 2, 3, 3, 2, 4, 2, 1, 0, "leaky_relu"), (1, 2, 1, 3, 4, 3, 2, 1, 1, "tanh"),
                  (1, 3, 2, 3, 2, 5, 2, 2, 1, "none"), (2, 2, 2, 2, 3, 3, 3, 0, 2, "sigmoid"), (1, 1, 3, 4, 3, 1, 1, 0, 0, "none"),
                  (1, 2, 2, 3, 3, 1, 3, 0, 1, "none"), (2, 1, 2, 4, 5, 3, 1, 1, 0, "leaky_relu"), (1, 2, 1, 4, 3, 5, 3, 3, 2, "none"),
                  (1, 2, 2, 2, 2, 2, 3, 0, 0, "relu")]


def conv_transpose_cases(g: Goldens) -> None:
    for n, c, out, h, w, kernel, stride, padding, extra, act in CONV_TRANSPOSE:
        ins = {"x": ("NCHW", random(n, c, h, w)), "weight": ("IOHW", random(c, out, kernel, kernel, seed=1)), "bias": ("F", random(out))}
        params = {"kernel": kernel, "stride": stride, "padding": padding, "output_padding": extra, **activation_params(act)}
        g.case(f"conv_transpose2d_k{kernel}_s{stride}_p{padding}_o{extra}", "conv_transpose2d",
               lambda x, wt, b, a=act, s=stride, p=padding, o=extra: ACTIVATIONS[a](F.conv_transpose2d(x, wt, b, s, p, o)), ins, "NCHW", params)


# ---- normalisation, dropout, resizing --------------------------------------------------------------------------------

def batch_norm_cases(g: Goldens) -> None:
    for label, layout, shape, eps, momentum, act in (("2d", "NF", (5, 3), 1e-5, 0.1, "none"), ("2d_leaky_relu", "NF", (4, 2), 0.8, 0.1, "leaky_relu"),
                                                     ("4d_relu", "NCHW", (2, 3, 3, 5), 1e-5, 0.2, "relu"),
                                                     ("4d_tanh", "NCHW", (3, 2, 2, 1), 1e-3, 0.1, "tanh"),
                                                     ("2d_gelu", "NF", (6, 2), 1e-5, 0.1, "gelu")):
        x, channels = random(*shape) * 2 + 1, shape[1]
        mean, var = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        F.batch_norm(x, mean, var, training=True, momentum=momentum, eps=eps)
        ins = {"x": (layout, x), "weight": ("F", 1 + 0.3 * random(channels)), "bias": ("F", random(channels, seed=1))}
        g.case(f"batch_norm_{label}", "batch_norm",
               lambda x, w, b, e=eps, a=act: ACTIVATIONS[a](F.batch_norm(x, None, None, w, b, True, 0, e)), ins, layout,
               {"eps": eps, "momentum": momentum, **activation_params(act)}, extra={"running_mean": mean, "running_var": var})


def layer_norm_cases(g: Goldens) -> None:
    for label, layout, shape, affine, act in (("vector", "NF", (3, 5), "F", "none"), ("image", "NCHW", (2, 2, 3, 4), "CHW", "leaky_relu"),
                                              ("image_tanh", "NCHW", (3, 1, 2, 3), "CHW", "tanh"),
                                              ("vector_silu", "NF", (4, 5), "F", "silu")):
        ins = {"x": (layout, random(*shape) * 3 - 1), "weight": (affine, 1 + 0.3 * random(*shape[1:])), "bias": (affine, random(*shape[1:], seed=1))}
        g.case(f"layer_norm_{label}", "layer_norm",
               lambda x, w, b, s=shape[1:], a=act: ACTIVATIONS[a](F.layer_norm(x, s, w, b, 1e-5)), ins, layout,
               {"eps": 1e-5, **activation_params(act)})


def shape_cases(g: Goldens) -> None:
    for label, layout, shape, mask_shape in (("vector", "NF", (4, 7), (4, 7)), ("image", "NCHW", (2, 3, 4, 3), (2, 3, 4, 3)),
                                             ("channels", "NCHW", (3, 5, 2, 2), (3, 5))):
        mask = (random(*mask_shape, seed=2) > -0.5).double()
        whole = mask if mask.dim() == len(shape) else mask[:, :, None, None].expand(shape)
        g.case(f"dropout_{label}", "dropout", lambda x, m=whole: x * m / 0.7, {"x": (layout, random(*shape))}, layout,
               {"p": 0.3, "channelwise": label == "channels"}, constants={"mask": (layout, whole)})
    for scale, shape in ((2, (2, 3, 3, 2)), (3, (1, 2, 2, 3))):
        g.case(f"upsample_{scale}", "upsample", lambda x, s=scale: F.interpolate(x, scale_factor=s), {"x": ("NCHW", random(*shape))}, "NCHW",
               {"scale": scale})


# ---- losses ----------------------------------------------------------------------------------------------------------

def loss_cases(g: Goldens) -> None:
    inside = torch.tensor([0.02, 0.3, 0.5, 0.75, 0.999], dtype=torch.float64)[:, None]
    edges = torch.tensor([0.0, 1.0, 0.25, 1e-7, 1 - 1e-7], dtype=torch.float64)[:, None]
    logits = torch.tensor([-50.0, -3.0, -0.1, 0.4, 2.0, 40.0], dtype=torch.float64)[:, None]

    def case(name: str, op: str, f, scores: Tensor, target: float, epsilon: float = 0, orders: int = 2) -> None:
        g.case(name, op, f, {"scores": ("NF", scores)}, "scalar", {"target": target, "epsilon": epsilon}, orders=orders)

    for target in (1.0, 0.0, 0.9):
        o = {"loss": "bce", "bce_epsilon": 0}
        case(f"bce_{target}", "bce", lambda p, t=target: gt.bce(p, t, o), inside, target)
        # at 0 and 1 the logarithms are clamped to -100 and the gradient's denominator to 1e-12; there is no second order there
        case(f"bce_edges_{target}", "bce", lambda p, t=target: gt.bce(p, t, o), edges, target, orders=1)
        keras = {"loss": "bce", "bce_epsilon": 1e-3}
        case(f"bce_epsilon_{target}", "bce", lambda p, t=target: gt.bce(p, t, keras), torch.cat([edges, inside]), target, 1e-3)
        with_logits = {"loss": "bce_with_logits"}
        case(f"bce_with_logits_{target}", "bce_with_logits", lambda x, t=target: gt.bce(x, t, with_logits), logits, target)
        case(f"least_squares_{target}", "least_squares", lambda x, t=target: (x - t).square().mean(), random(4, 1), target)
    for target in (1.0, -1.0):
        case(f"hinge_{target}", "hinge", lambda x, t=target: F.relu(1 - t * x).mean(), 1.5 * random(7, 1), target)
    case("linear_loss", "linear_loss", lambda x: -x.mean(), random(5, 1), -1.0)


def penalty_cases(g: Goldens) -> None:
    for norm in ("sample", "channel", "batch"):
        for target in (1.0, 0.0):
            g.case(f"gradient_penalty_{norm}_{target}", "gradient_penalty", lambda x, n=norm, t=target: gt.penalty_of_gradient(x, n, t),
                   {"gradient": ("NCHW", random(3, 2, 2, 3))}, "scalar", {"norm": norm, "target": target})


# ---- optimizers ------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "adam": {"type": "adam", "lr": 1e-2}, "adam_gan": {"type": "adam", "lr": 2e-4, "betas": [0.5, 0.999]},
    "adam_wgan": {"type": "adam", "lr": 1e-4, "betas": [0, 0.9], "eps": 1e-6, "weight_decay": 0.1},
    "rmsprop": {"type": "rmsprop", "lr": 5e-5}, "rmsprop_momentum": {"type": "rmsprop", "lr": 1e-2, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.05},
    "rmsprop_inside": {"type": "rmsprop", "lr": 1e-2, "alpha": 0.9, "momentum": 0.3, "eps": 1e-4, "eps_inside_sqrt": True},
    "sgd": {"type": "sgd", "lr": 0.1}, "sgd_momentum": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "sgd_nesterov": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "lion": {"type": "lion", "lr": 1e-3, "betas": [0.9, 0.99], "weight_decay": 0.1},
}


def optimizer_cases(g: Goldens, steps: int = 3) -> None:
    """in.0: the parameter; const.K: the gradient of step K; out.K: the parameter after step K, followed by the final moments."""
    for label, given in OPTIMIZERS.items():
        options = gt.optimizer_options({"optimizer": given}, "generator")
        name, w = f"optimizer_{label}", random(6, seed=7).requires_grad_(True)
        g.put(f"{name}.in.0", w)
        optimizer = gt.build_optimizer(options, [w])
        moments = gt.moment_names(options)
        if options.get("eps_inside_sqrt") or options["type"] == "lion":
            optimizer.state[w] = {m: torch.zeros_like(w) for m in moments}
        for k in range(steps):
            w.grad = random(6, seed=20 + k) * torch.tensor([1, 1e-3, 0, 10, 1, 1e-6], dtype=torch.float64)
            g.put(f"{name}.const.{k}", w.grad)
            optimizer.step()
            g.put(f"{name}.out.{k}", w)
        for i, m in enumerate(moments):
            g.put(f"{name}.out.{steps + i}", optimizer.state[w][m])
        g.describe(name, "optimizer", {"parameter": ("F", w)}, options, 0, constants=[f"gradient_{k}" for k in range(steps)],
                   constant_layouts=["F"] * steps, outputs=[f"parameter_{k}" for k in range(steps)] + moments, out_layout="F")


# ---- a critic's step: the penalty's gradient through a network -------------------------------------------------------

CRITIC = [{"layer": "conv2d", "channels": 3, "kernel": 4, "stride": 2, "padding": 1}, {"layer": "leaky_relu", "slope": 0.2},
          {"layer": "conv2d", "channels": 4, "kernel": 3, "stride": 2, "padding": 1, "bias": False}, {"layer": "layer_norm"},
          {"layer": "leaky_relu", "slope": 0.2}, {"layer": "flatten"}, {"layer": "linear", "units": 5}, {"layer": "tanh"},
          {"layer": "linear", "units": 1}]


def critic_cases(g: Goldens) -> None:
    shape, n = (2, 7, 6), 3
    real, fake, eps = random(n, *shape, seed=1), random(n, *shape, seed=2), torch.rand(n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for norm in ("sample", "channel", "batch"):
        net, _ = gt.Builder(shape).sequence(CRITIC, shape)
        net.double()
        for i, p in enumerate(net.parameters()):
            p.data = 0.4 * random(*p.shape, seed=i)
        name, penalty = f"critic_step_{norm}", {"weight": 10, "norm": norm, "target": 1}
        loss = net(fake).mean() - net(real).mean() + gt.gradient_penalty(net, gt.interpolate(real, fake, eps), penalty)
        grads = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
        named = dict(net.named_parameters())
        for k, (p, gradient) in enumerate(zip(named.values(), grads)):
            g.put(f"{name}.in.{k}", p)
            g.put(f"{name}.grad.{k}", torch.zeros_like(p) if gradient is None else gradient)
        for k, value in enumerate((real, fake, eps)):
            g.put(f"{name}.const.{k}", value)
        g.put(f"{name}.out.0", loss)
        layouts = {1: "F", 2: "OI", 3: "CHW", 4: "OIHW"}
        g.describe(name, "critic_step", {label: (layouts[p.dim()], p) for label, p in named.items()}, {**penalty, "layers": CRITIC}, 1,
                   constants=["real", "fake", "eps"], constant_layouts=["NCHW", "NCHW", "N"], outputs=["loss"], out_layout="scalar")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    p.add_argument("--out", default=os.path.join(here, "..", "tests", "goldens", "ops.safetensors"))
    a = p.parse_args()
    torch.set_num_threads(1)
    g = Goldens()
    for make in (linear_cases, conv_cases, conv_transpose_cases, batch_norm_cases, layer_norm_cases, shape_cases, loss_cases, penalty_cases,
                 optimizer_cases, critic_cases):
        make(g)
    bad = [name for name, t in g.tensors.items() if not np.isfinite(t).all()]
    if bad:
        raise SystemExit(f"make_goldens: not finite: {', '.join(bad)}")
    write_safetensors(a.out, g.tensors, g.metadata)
    print(f"{len(g.metadata)} cases, {len(g.tensors)} tensors, {os.path.getsize(a.out) / 1024:.0f} KB: {a.out}")


if __name__ == "__main__":
    main()
