"""Noise levels and timesteps to visit, as plain lists: what schedules are made of. Nothing here imports torch.

Levels fall from noisy to clean and leave out the final zero, which `schedules` and samplers append.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphflow.diffusion.beta_distribution import beta_quantiles

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]

KARRAS_RHO = 7.0
"""Crowds the steps towards low noise (Karras et al., arXiv 2206.00364, section D.1)."""

BETA_SHAPE = 0.6
"""Both parameters of the beta schedule (Lee et al., arXiv 2407.12173, section 4)."""


def karras_sigmas(lowest: float, highest: float, steps: int, *, rho: float = KARRAS_RHO) -> Floats:
    """Noise levels from highest to lowest, evenly spaced in their 7th root (Karras et al., arXiv 2206.00364, equation 5)."""
    ramp = np.linspace(0, 1, steps)
    roots = highest ** (1 / rho) + ramp * (lowest ** (1 / rho) - highest ** (1 / rho))
    return np.asarray(roots**rho, dtype=np.float64)


def exponential_sigmas(lowest: float, highest: float, steps: int) -> Floats:
    """Noise levels from highest to lowest, evenly spaced in their logarithm (Lu et al., arXiv 2206.00927, section 3)."""
    return np.asarray(np.exp(np.linspace(log(highest), log(lowest), steps)), dtype=np.float64)


def beta_sigmas(lowest: float, highest: float, steps: int, *, shape: float = BETA_SHAPE) -> Floats:
    """Noise levels crowded at both ends, as the quantiles of a beta distribution are (Lee et al., arXiv 2407.12173).

    The quantiles are taken of the levels, as diffusers does; the paper takes them of the timesteps.
    """
    quantiles = beta_quantiles(1 - np.linspace(0, 1, steps), a=shape, b=shape)
    return np.asarray(lowest + quantiles * (highest - lowest), dtype=np.float64)


def kl_optimal_sigmas(lowest: float, highest: float, steps: int) -> Floats:
    """Noise levels whose arc tangents are evenly spaced, which is optimal for Gaussian data (Sabour et al., arXiv 2404.14507, theorem 3.1)."""
    return np.asarray(np.tan(np.linspace(atan(highest), atan(lowest), steps)), dtype=np.float64)


def refined_sigmas(points: ArrayLike, steps: int) -> Floats:
    """The curve through given levels at another number of levels, straight in the logarithm between them (Sabour et al., appendix)."""
    known = np.log(np.asarray(points, dtype=np.float64))
    return np.exp(np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(known)), known))


def edm_sigmas(steps: int, *, lowest: float = 0.002, highest: float = 80.0, rho: float = KARRAS_RHO) -> Singles:
    """The levels of EDM models (Karras et al., arXiv 2206.00364, table 1); Stable Video Diffusion has a highest of 700.

    In single precision throughout, as their reference makes them: at low noise that is up to 5e-6 away from `karras_sigmas`.
    """
    ramp = np.linspace(0, 1, steps, dtype=np.float32)
    first, last = np.float32(highest ** (1 / rho)), np.float32(lowest ** (1 / rho) - highest ** (1 / rho))
    return np.asarray((first + ramp * last) ** np.float32(rho), dtype=np.float32)


def ddpm_sigmas(
    steps: int, *, first_beta: float = 0.00085, last_beta: float = 0.012, train_steps: int = 1000
) -> Floats:
    """The levels that generative-models calls legacy: `even_timesteps` of a table whose betas rise evenly in their root.

    Raises ValueError for more steps than there are training steps.
    """
    betas = np.linspace(first_beta**0.5, last_beta**0.5, train_steps, dtype=np.float64) ** 2
    signal = np.cumprod(1 - betas)[even_timesteps(steps, train_steps=train_steps)]
    return np.asarray(((1 - signal) / signal) ** 0.5, dtype=np.float64)


def even_timesteps(steps: int, *, train_steps: int = 1000) -> Integers:
    """Falling timesteps from the last training step, rounded down, that would reach 0 one step later (`sgm_uniform`).

    Raises ValueError for more steps than there are training steps.
    """
    if not 1 <= steps <= train_steps:
        raise ValueError(f"{steps} steps are out of range; use 1 to {train_steps}")
    if steps == train_steps:
        return np.arange(train_steps, dtype=np.int64)[::-1].copy()
    return np.linspace(train_steps - 1, 0, steps, endpoint=False).astype(np.int64)


def simple_timesteps(steps: int, *, train_steps: int = 1000) -> Integers:
    """Falling timesteps that count down from the last training step by train_steps / steps, rounded (`simple`)."""
    counted = np.floor(np.arange(steps) * (train_steps / steps))
    return np.asarray(train_steps - 1 - counted, dtype=np.int64)


def ddim_timesteps(steps: int, *, train_steps: int = 1000) -> Integers:
    """Falling timesteps that count up from 1 by a whole number (`ddim_uniform`: Song et al., arXiv 2010.02502, section D.2)."""
    stride = train_steps // steps
    return np.minimum(np.arange(steps, dtype=np.int64)[::-1] * stride + 1, train_steps - 1)


def lcm_timesteps(steps: int, *, train_steps: int = 1000, distilled_steps: int = 50) -> Integers:
    """Falling timesteps out of the ones a consistency model was distilled on (Luo et al., arXiv 2310.04378, section 4.3).

    Raises ValueError for more steps than those.
    """
    if not 1 <= steps <= distilled_steps:
        raise ValueError(f"{steps} steps are out of range for a latent consistency model; use 1 to {distilled_steps}")
    known = np.arange(distilled_steps, 0, -1, dtype=np.int64) * (train_steps // distilled_steps) - 1
    return known[np.floor(np.linspace(0, distilled_steps, steps, endpoint=False)).astype(np.int64)]


def falling_levels(sigmas: Sequence[float]) -> Floats:
    """One's own noise levels, checked, without the final 0 that they may have. Raises ValueError for others than falling ones above 0."""
    levels = np.asarray(sigmas, dtype=np.float64)
    levels = levels[:-1] if len(levels) and levels[-1] == 0 else levels
    if not len(levels) or not np.all(np.isfinite(levels)) or np.any(np.diff(levels) >= 0) or levels[-1] <= 0:
        shown = ", ".join(f"{level:g}" for level in levels)
        raise ValueError(f"noise levels [{shown}] are no schedule; give one or more numbers above 0 that fall")
    return levels


def kept_for_image(sigmas: NDArray[np.floating], strength: float) -> NDArray[np.floating]:
    """The lowest levels, the final zero included, that image-to-image of a strength (0 to 1) goes through; one at least.

    Raises ValueError for a strength out of range.
    """
    _check_share(strength, "strength")
    return sigmas[len(sigmas) - max(int(strength * len(sigmas)), 1) :]


def kept_before_refiner(
    sigmas: NDArray[np.floating], share: float, *, steps: int | None = None
) -> NDArray[np.floating]:
    """The levels, without the lowest ones that a refiner goes through for a share (0 to 1) of `steps` (default: of these levels).

    Raises ValueError for a share out of range.
    """
    _check_share(share, "share of the refiner")
    levels = len(sigmas) if steps is None else steps + 1
    left = max(min(int(share * levels) - 1, levels - 1), 0)
    return sigmas[: len(sigmas) - left]


def _check_share(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"the {name} {value:g} is out of range; use 0 to 1")
