"""Solvers of the stochastic differential equation, DPM-Solver++ style; `eta` 0 takes the noise away."""

from __future__ import annotations

from math import exp, expm1, log, sqrt

from torch import Tensor

from graphflow.diffusion.scalings import Denoise
from graphflow.diffusion.solvers.step import After, Draw, ancestral_split, clean_at, go_on, pairs


def dpmpp_sde(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """DPM-Solver++ for the stochastic equation, singlestep, two calls and two draws a step: k-diffusion.

    Both draws of a step lie on one Brownian path over the noise level: the second is the first and what comes after it.
    """
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        if target == 0:
            latents = after(step, clean, clean)
            continue
        middle = sqrt(sigma * target)
        early, late = draw(), draw()
        halfway = _ancestral(latents, clean, sigma, middle, eta, early * noise)
        estimate = clean_at(denoise, halfway, middle)
        path = (early * sqrt(sigma - middle) + late * sqrt(middle - target)) / sqrt(sigma - target)
        latents = _ancestral(latents, estimate, sigma, target, eta, path * noise)
        latents = after(step, latents, clean)
    return latents


def _ancestral(latents: Tensor, clean: Tensor, sigma: float, target: float, eta: float, noise: Tensor) -> Tensor:
    """One exact step for a clean estimate that stays as it is."""
    down, up = ancestral_split(sigma, target, eta)
    return (down / sigma) * latents + (1 - down / sigma) * clean + up * noise


def dpmpp_2m_sde(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """DPM-Solver++ of second order for the stochastic equation, multistep, midpoint: k-diffusion, after Lu et al., arXiv 2211.01095."""
    past: Tensor | None = None
    last = 0.0
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        if target == 0:
            latents = clean
        else:
            width = log(sigma / target)
            ahead = clean if past is None else clean + (clean - past) * (width / (2 * last))
            latents = _drifted(latents, ahead, sigma, target, eta)
            latents = _diffused(latents, sigma, target, eta, draw, noise)
            past, last = clean, width
        latents = after(step, latents, clean)
    return latents


def dpmpp_3m_sde(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """DPM-Solver++ of third order for the stochastic equation, multistep: k-diffusion, after Lu et al., arXiv 2211.01095."""
    past: list[tuple[Tensor, float]] = []
    """Earlier clean estimates, newest first, with the width of the step that began at each."""
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        if target == 0:
            latents = clean
        else:
            width = log(sigma / target)
            latents = _drifted(latents, clean, sigma, target, eta)
            whole = (1 + eta) * width
            second = expm1(-whole) / whole + 1
            third = second / whole - 0.5
            if past:
                rise, bend = _differences(clean, past, width)
                latents = latents + second * rise
                if bend is not None:
                    latents = latents - third * bend
            latents = _diffused(latents, sigma, target, eta, draw, noise)
            past = [(clean, width), *past[:1]]
        latents = after(step, latents, clean)
    return latents


def _differences(clean: Tensor, past: list[tuple[Tensor, float]], width: float) -> tuple[Tensor, Tensor | None]:
    """First and second divided difference of the clean estimates, in units of the present step."""
    (one, one_width), *older = past
    near = one_width / width
    rise = (clean - one) / near
    if not older:
        return rise, None
    two, two_width = older[0]
    far = two_width / width
    earlier = (one - two) / far
    bend = (rise - earlier) / (near + far)
    return rise + near * bend, bend


def _drifted(latents: Tensor, clean: Tensor, sigma: float, target: float, eta: float) -> Tensor:
    """The exact step without its noise, for a clean estimate that stays as it is."""
    width = log(sigma / target)
    return exp(-(1 + eta) * width) * latents - expm1(-(1 + eta) * width) * clean


def _diffused(latents: Tensor, sigma: float, target: float, eta: float, draw: Draw, noise: float) -> Tensor:
    """The noise of the exact step."""
    deviation = target * sqrt(-expm1(-2 * eta * log(sigma / target))) * noise
    return latents + deviation * draw() if deviation > 0 else latents
