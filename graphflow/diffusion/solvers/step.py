"""What the steps of all solvers are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt

import torch
from torch import Tensor

from graphflow.diffusion.scalings import Denoise

Draw = Callable[[], Tensor]
"""Fresh standard normal noise of the latents' shape."""

After = Callable[[int, Tensor, Tensor], Tensor]
"""`(step, latents, clean) -> latents to go on with`, after each step counted from 0; what it raises ends the sampling."""


def go_on(step: int, latents: Tensor, clean: Tensor) -> Tensor:
    """The `After` that changes nothing."""
    return latents


def no_noise() -> Tensor:
    """The `Draw` of solvers that need none."""
    raise ValueError("this sampler adds noise at each step; give it a function that draws")


@dataclass(frozen=True)
class Churn:
    """Noise that is added before each step to correct earlier ones (Karras et al., arXiv 2206.00364, algorithm 2)."""

    amount: float = 0.0
    """Spread over all steps; 0 adds none."""
    lowest: float = 0.0
    """Only at levels from this one..."""
    highest: float = inf
    """...to this one."""
    deviation: float = 1.0
    """Of the added noise; a little more than 1 makes up for detail that the denoiser takes away."""

    def raised(self, sigma: float, steps: int) -> float:
        """The level to which noise is added before a step."""
        if not self.lowest <= sigma <= self.highest:
            return sigma
        return sigma * (1 + min(self.amount / steps, sqrt(2) - 1))

    def apply(self, latents: Tensor, sigma: float, raised: float, draw: Draw) -> Tensor:
        """The latents at the raised level."""
        if raised <= sigma:
            return latents
        return latents + draw() * (self.deviation * sqrt(raised**2 - sigma**2))


def clean_at(denoise: Denoise, latents: Tensor, sigma: float) -> Tensor:
    """The denoiser's estimate with one noise level for all latents."""
    return denoise(latents, torch.full(latents.shape[:1], sigma, dtype=latents.dtype, device=latents.device))


def slope(latents: Tensor, clean: Tensor, sigma: float) -> Tensor:
    """How latents change with the noise level on the way without noise (Karras et al., arXiv 2206.00364, equation 4)."""
    return (latents - clean) / sigma


def ancestral_split(sigma: float, target: float, eta: float) -> tuple[float, float]:
    """Level to step down to, and deviation of the noise that leads up to the target again (Song et al., arXiv 2010.02502, equation 16).

    `eta` 0 adds no noise, 1 as much as an ancestral step of the diffusion does.
    """
    up = min(target, eta * target * sqrt(sigma**2 - target**2) / sigma)
    return sqrt(max(target**2 - up**2, 0.0)), up


def pairs(sigmas: Tensor) -> list[tuple[float, float]]:
    """The level before and after each step. Raises ValueError for levels that do not fall, or end below zero."""
    levels = [float(sigma) for sigma in sigmas]
    steps = list(pairwise(levels))
    if not steps or levels[-1] < 0 or any(after >= before for before, after in steps) or min(levels[:-1]) <= 0:
        shown = ", ".join(f"{level:g}" for level in levels[:8]) + (", ..." if len(levels) > 8 else "")
        raise ValueError(
            f"noise levels {shown} are no way down; give two or more that fall, the last one 0 or the level to stop at"
        )
    return steps
