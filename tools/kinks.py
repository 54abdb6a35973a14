"""The effect of rectifiers near their kink on a gradient.

The input of a unit within rounding of zero may have one sign in float32 and the other in float64. The unit's output hardly
changes, but its contribution to the gradient changes by a factor. Among a million units, every update has some such units.
Therefore the gradient is computed again for each of them, with the other sign. The sum of the absolute changes is the tolerance
of each element of a recorded gradient.
"""
from typing import Callable

import torch
from torch import Tensor

from gannet_torch import Rectifier

MOST_UNITS = 100  # at most this many; each costs a forward and a backward pass


class Sides:
    """Chooses the sign of the rectifier inputs of a pass, in call order, and inverts those in `flipped`, (call, element)."""

    def __init__(self, width: float, flipped: tuple[int, int] | None = None):
        self.width, self.flipped = width, flipped
        self.calls = 0
        self.near: list[tuple[float, int, int]] = []  # (distance, call, element)

    def __call__(self, x: Tensor) -> Tensor:
        side = x > 0
        if self.flipped is None:
            self.collect(x)
        elif self.flipped[0] == self.calls:
            side.view(-1)[self.flipped[1]] ^= True
        self.calls += 1
        return side

    def collect(self, x: Tensor) -> None:
        distance = x.abs().reshape(-1) / x.square().mean().sqrt().clamp(min=1e-300)
        # exact zeros (dropped units, dead rows) are exact in every precision
        for element in torch.nonzero((distance < self.width) & (distance > 0)).reshape(-1).tolist():
            self.near.append((float(distance[element]), self.calls, element))


def with_sides(sides: Sides, again: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    Rectifier.sides = sides
    try:
        return again()
    finally:
        Rectifier.sides = None


def slack(gradients: dict[str, Tensor], again: Callable[[], dict[str, Tensor]], width: float) -> tuple[dict[str, Tensor], int]:
    """The tolerance of each element, and the number of units. `again` recomputes the gradients."""
    seen = Sides(width)
    with_sides(seen, again)
    units = sorted(seen.near)[:MOST_UNITS]
    total = {name: torch.zeros_like(g) for name, g in gradients.items()}
    for _, call, element in units:
        for name, g in with_sides(Sides(width, (call, element)), again).items():
            total[name] += (g - gradients[name]).abs()
    return total, len(units)
