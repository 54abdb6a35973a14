"""Gannet's training step in PyTorch, with the documented random draws.

Every number that enters or leaves a step is passed to an Observer under its name in a trace, and the trainer continues with
the value that the observer returns. So the same trainer trains (Observer), writes traces (Recorder) and checks traces
(check_trace.py returns the recorded values).
"""
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
from torch import Tensor

import gannet_draws as draws
import gannet_torch as gt
from gannet_draws import GENERATOR_UPDATE, NETWORKS, Images, Key


class Observer:
    """Observes nothing. `value` is None if this trainer cannot compute it (real images without the data).
    `optional`: a trace may omit it. `scale`: an error is relative to this."""

    def see(self, kind: str, name: str, value, scale: float | None = None, optional: bool = False):
        return value

    def see_gradients(self, prefix: str, gradients: dict[str, Tensor], again: Callable[[], dict[str, Tensor]]):
        """All gradients of an update. `again` recomputes them without side effects."""
        return {name: self.see("gradient", f"{prefix}.grad.{name}", g) for name, g in gradients.items()}


class Recorder(Observer):
    """Keeps all values: a trace."""

    def __init__(self):
        self.tensors: dict[str, np.ndarray] = {}

    def see(self, kind, name, value, scale=None, optional=False):
        if kind == "step":
            self.tensors[name] = np.array(value, np.int64)
        else:
            self.tensors[name] = value.detach().numpy().copy()
        return value


@dataclass
class Fakes:
    """A batch of fakes, which the second network may reuse."""
    z: Tensor
    masks: dict[str, Tensor]
    images: Tensor  # with the generator's graph if requested


class Trainer:
    def __init__(self, config: dict, image_shape: tuple, images: Images | None = None, dtype=torch.float64):
        self.config = config = gt.complete(config)
        self.objective, self.dtype, self.images = config["objective"], dtype, images
        self.batch, self.seed = config["batch"], config["seed"]
        self.step_number = 0
        first, second = self.batches_of_first_and_second()
        if self.objective["fakes"] == "reuse" and second not in (first, first * len(self.schedule_of_first())):
            raise ValueError("reused fakes: the second network must take the batches of one update, or all batches")
        self.image_shape = tuple(image_shape)
        self.nets = {n: gt.build_network(config, n, image_shape, dtype) for n in NETWORKS}
        self.options = {n: gt.optimizer_options(config, n) for n in NETWORKS}
        self.optimizers = {n: gt.build_optimizer(self.options[n], list(self.nets[n].parameters())) for n in NETWORKS}
        self.updates = {n: 0 for n in NETWORKS}
        self.observer = Observer()
        for n in NETWORKS:
            for p in self.nets[n].parameters():
                self.set_moments(n, p, {m: torch.zeros_like(p) for m in gt.moment_names(self.options[n])})

    # ---- state -------------------------------------------------------------------------------------------------------

    def set_moments(self, network: str, parameter: Tensor, moments: dict[str, Tensor]) -> None:
        step = torch.tensor(float(self.updates[network])) if self.options[network]["type"] == "adam" else self.updates[network]
        self.optimizers[network].state[parameter] = {"step": step, **moments}

    def parameters(self, network: str) -> dict[str, Tensor]:
        return {f"{network}.{name}": p for name, p in self.nets[network].named_parameters()}

    def buffers(self, network: str) -> dict[str, Tensor]:
        return {f"{network}.{name}": b for name, b in self.nets[network].named_buffers()}

    def see_state(self, prefix: str) -> None:
        """Passes all state to the observer: before the first step ("init") and after each step ("s0.after")."""
        see, first = self.observer.see, prefix == "init"
        for network in NETWORKS:
            self.updates[network] = int(see("step", f"{prefix}.optimizer.{network}.step", self.updates[network]))
            for name, p in self.parameters(network).items():
                moments = self.optimizers[network].state[p]
                p.data = see("initial values" if first else "parameters", f"{prefix}.{name}", p.data)
                seen = {m: see("moments", f"{prefix}.optimizer.{name}.{m}", moments[m])
                        for m in gt.moment_names(self.options[network])}
                self.set_moments(network, p, seen)
            for name, b in self.buffers(network).items():
                b.copy_(see("running statistics", f"{prefix}.{name}", b.clone()))

    # ---- a step ------------------------------------------------------------------------------------------------------

    def schedule(self) -> list[str]:
        """The updates of a step in order, such as d0 d1 g0."""
        o = self.objective
        parts = {"discriminator": [f"d{c}" for c in range(self.critic_steps(self.step_number))],
                 "generator": [f"g{k}" for k in range(o["generator_steps"])]}
        first, second = ("generator", "discriminator") if o["update_order"] == "generator_first" else NETWORKS[::-1]
        return parts[first] + parts[second]

    def schedule_of_first(self) -> list[str]:
        order = self.schedule()
        return [u for u in order if u[0] == order[0][0]]

    def batches_of_first_and_second(self) -> tuple[int, int]:
        """The batches that an update of the first network accumulates, and those of an update of the second."""
        batches = self.objective["accumulate"]
        first, second = ("generator", "discriminator") if self.objective["update_order"] == "generator_first" else NETWORKS[::-1]
        return batches[first], batches[second]

    def reused(self) -> str:
        """"d0:g0": update d0 uses the fakes of g0; "d0:g0 g1": the fakes of both, in this order. Empty without reuse."""
        if self.objective["fakes"] != "reuse":
            return ""
        order, sources = self.schedule(), self.schedule_of_first()
        first, second = self.batches_of_first_and_second()
        return f"{order[len(sources)]}:{' '.join(sources if second == first * len(sources) else sources[-1:])}"

    def critic_steps(self, step: int) -> int:
        warm_up = self.objective.get("critic_warm_up")
        if warm_up and (step < warm_up["steps"] or (warm_up["every"] and step % warm_up["every"] == 0)):
            return warm_up["critic_steps"]
        return self.objective["critic_steps"]

    def images_before(self, step: int) -> int:
        return sum(self.critic_steps(s) for s in range(step)) * self.objective["accumulate"]["discriminator"] * self.batch

    def step(self) -> dict[str, float]:
        """One cycle of the schedule. Returns the values of a golden run: losses and gradients of the last updates."""
        self.position = self.images_before(self.step_number)
        self.kept: dict[str, list[Fakes]] = {}
        reuser, _, sources = self.reused().partition(":")
        sources = sources.split()
        result = {}
        for update in self.schedule():
            fakes = [batch for source in sources for batch in self.kept[source]] if update == reuser else []
            keep = update in sources
            if update[0] == "d":
                result["loss_d"], result["grad_d"] = self.update_discriminator(update, fakes, keep)
            else:
                result["loss_g"], result["grad_g"] = self.update_generator(update, fakes, keep)
        self.see_state(f"s{self.step_number}.after")
        self.step_number += 1
        return result

    def update_discriminator(self, update: str, source: list[Fakes], keep: bool):
        see, c, losses, again = self.observer.see, int(update[1:]), [], []
        before = self.objective.get("clip_when") == "before"
        if before:
            self.clip()
        for m, prefix in enumerate(self.prefixes(update, "discriminator")):
            real = see("real images", f"{prefix}.real", self.next_real())
            fakes = self.make_fakes(prefix, c, m, source, recorded=keep)
            self.kept.setdefault(update, []).append(fakes)
            fake = see("fakes", f"{prefix}.fake", fakes.images.detach(), scale=1.0)
            eps, roles = None, ["real", "fake"]
            if self.objective["gradient_penalty"]:
                key = Key(self.seed, draws.STREAM_INTERPOLATION, self.step_number, c)
                eps = see("interpolation weights", f"{prefix}.eps", self.draw_uniform(key, m))
                roles.append("interpolated")
            masks = {role: self.draw_masks(prefix, "discriminator", role, c, m) for role in roles}
            again.append(lambda x=real, y=fake, e=eps, k=masks: self.critic_loss(x, y, e, k))
            losses.append(self.see_loss(prefix, *again[-1]()))
        grad = self.apply(update, "discriminator", losses, again)
        if not before:
            self.clip()
        return self.mean(losses), grad

    def clip(self) -> None:
        if clip := self.objective["weight_clip"]:
            for p in self.nets["discriminator"].parameters():
                p.data.clamp_(-clip, clip)

    def critic_loss(self, real: Tensor, fake: Tensor, eps: Tensor | None, masks: dict) -> tuple[Tensor, float]:
        """The loss and the mean absolute score. The order of the forward passes matters for the running statistics."""
        o = self.objective
        real_scores = self.forward("discriminator", real, masks["real"])
        fake_scores = self.forward("discriminator", fake, masks["fake"])
        loss = gt.discriminator_loss(real_scores, fake_scores, o)
        if eps is not None:
            points = gt.interpolate(real, fake, eps)
            loss = loss + gt.gradient_penalty(lambda x: self.forward("discriminator", x, masks["interpolated"]), points, o["gradient_penalty"])
        return loss, float(real_scores.detach().abs().mean() + fake_scores.detach().abs().mean())

    def update_generator(self, update: str, source: list[Fakes], keep: bool):
        number, losses, again = GENERATOR_UPDATE + int(update[1:]), [], []
        for m, prefix in enumerate(self.prefixes(update, "generator")):
            fakes = self.make_fakes(prefix, number, m, source, recorded=True)
            self.kept.setdefault(update, []).append(fakes)
            masks = self.draw_masks(prefix, "discriminator", "fake", number, m)
            again.append(lambda f=fakes, k=masks: self.score_loss(self.forward("generator", f.z, f.masks), k))
            losses.append(self.see_loss(prefix, *self.score_loss(fakes.images, masks)))
        return self.mean(losses), self.apply(update, "generator", losses, again)

    def score_loss(self, images: Tensor, masks: dict[str, Tensor]) -> tuple[Tensor, float]:
        scores = self.forward("discriminator", images, masks)
        return gt.generator_loss(scores, self.objective), float(scores.detach().abs().mean())

    @staticmethod
    def mean(losses: list[Tensor]) -> float:
        return sum(float(loss.detach()) for loss in losses) / len(losses)

    def prefixes(self, update: str, network: str) -> list[str]:
        """Names of the accumulated batches: s0.d0, s0.d0.b1, s0.d0.b2 ..."""
        first = f"s{self.step_number}.{update}"
        return [first] + [f"{first}.b{m}" for m in range(1, self.objective["accumulate"][network])]

    def see_loss(self, prefix: str, loss: Tensor, score_size: float) -> Tensor:
        """The scale of a loss's error includes the scores, which may be much larger than their differences."""
        value = loss.detach()
        self.observer.see("losses", f"{prefix}.loss", value, scale=max(float(value.abs()), score_size))
        return loss

    def gradients(self, network: str, losses: list[Tensor]) -> dict[str, Tensor]:
        """The sum or mean over the batches."""
        named = self.parameters(network)
        total = {name: torch.zeros_like(p) for name, p in named.items()}
        for loss in losses:
            for name, g in zip(named, torch.autograd.grad(loss, list(named.values()), allow_unused=True)):
                if g is not None:
                    total[name] = total[name] + g
        share = 1 / len(losses) if self.objective["accumulate"]["reduction"] == "mean" else 1
        return {name: g * share for name, g in total.items()}

    def apply(self, update: str, network: str, losses: list[Tensor], again: list[Callable]) -> dict[str, Tensor]:
        """The optimizer's step. Returns the gradients that it used."""
        def once_more() -> dict[str, Tensor]:
            saved = [b.clone() for n in NETWORKS for b in self.buffers(n).values()]
            result = self.gradients(network, [compute()[0] for compute in again])
            for b, value in zip((b for n in NETWORKS for b in self.buffers(n).values()), saved):
                b.data.copy_(value)  # not tracked by autograd, because a kept graph may have saved it
            return result

        prefix = f"s{self.step_number}.{update}"
        named = self.observer.see_gradients(prefix, self.gradients(network, losses), once_more)
        for name, p in self.parameters(network).items():
            p.grad = named[name]
        self.optimizers[network].step()
        self.optimizers[network].zero_grad(set_to_none=True)
        self.updates[network] += 1
        return named

    def forward(self, network: str, x: Tensor, masks: dict[str, Tensor]) -> Tensor:
        for index, module in self.nets[network].named_modules():
            if index in masks:
                module.mask = masks[index]
        return self.nets[network](x)

    # ---- draws of a step ---------------------------------------------------------------------------------------------

    def tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.dtype)

    def samples(self, m: int) -> np.ndarray:
        return np.arange(m * self.batch, (m + 1) * self.batch)

    def draw_uniform(self, key: Key, m: int) -> Tensor:
        return self.tensor(draws.uniform(key, self.samples(m), 1)[:, 0])

    def next_real(self) -> Tensor | None:
        position = self.position
        self.position += self.batch
        return None if self.images is None else self.tensor(self.images.batch(position, self.batch))

    def draw_latents(self, update: int, m: int) -> Tensor:
        key = Key(self.seed, draws.STREAM_LATENT, self.step_number, update)
        return self.tensor(draws.latents(self.config, key, self.samples(m)))

    def make_fakes(self, prefix: str, update: int, m: int, source: list[Fakes], recorded: bool) -> Fakes:
        """New fakes, or the m-th of `source`, which already has its graph."""
        if source:
            self.observer.see("latents", f"{prefix}.z", source[m].z, optional=True)
            return source[m]
        z = self.observer.see("latents", f"{prefix}.z", self.draw_latents(update, m))
        masks = self.draw_masks(prefix, "generator", "fake", update, m)
        with torch.set_grad_enabled(recorded):
            return Fakes(z, masks, self.forward("generator", z, masks))

    def draw_masks(self, prefix: str, network: str, role: str, update: int, m: int) -> dict[str, Tensor]:
        """Masks by the positions of the layers."""
        masks = {}
        for index, module in self.nets[network].named_modules():
            if isinstance(module, gt.Dropout) and module.p:
                key = Key(self.seed, draws.dropout_stream(network, role, module.leaf), self.step_number, update)
                mask = self.tensor(module.draw(key, self.samples(m)))
                masks[index] = self.observer.see("masks", f"{prefix}.mask.{network}.{index}.{role}", mask)
        return masks
