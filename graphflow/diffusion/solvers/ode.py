"""Solvers without noise of their own; euler and heun can churn."""

from __future__ import annotations

from math import expm1, log, sqrt

import numpy as np
from torch import Tensor

from graphflow.diffusion.scalings import Denoise
from graphflow.diffusion.solvers.step import After, Churn, Draw, clean_at, go_on, no_noise, pairs, slope

NO_CHURN = Churn()


def euler(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw = no_noise,
    after: After = go_on,
    churn: Churn = NO_CHURN,
) -> Tensor:
    """Straight steps: Karras et al., arXiv 2206.00364, algorithm 2 without its correction."""
    steps = pairs(sigmas)
    for step, (sigma, target) in enumerate(steps):
        raised = churn.raised(sigma, len(steps))
        latents = churn.apply(latents, sigma, raised, draw)
        clean = clean_at(denoise, latents, raised)
        latents = latents + (target - raised) * slope(latents, clean, raised)
        latents = after(step, latents, clean)
    return latents


def heun(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw = no_noise,
    after: After = go_on,
    churn: Churn = NO_CHURN,
) -> Tensor:
    """Steps by the mean of the slopes at both ends, two calls each: Karras et al., arXiv 2206.00364, algorithm 2."""
    steps = pairs(sigmas)
    for step, (sigma, target) in enumerate(steps):
        raised = churn.raised(sigma, len(steps))
        latents = churn.apply(latents, sigma, raised, draw)
        clean = clean_at(denoise, latents, raised)
        first = slope(latents, clean, raised)
        ahead = latents + (target - raised) * first
        if target > 0:
            second = slope(ahead, clean_at(denoise, ahead, target), target)
            ahead = latents + (target - raised) * (first + second) / 2
        latents = after(step, ahead, clean)
    return latents


def dpm_2(denoise: Denoise, latents: Tensor, sigmas: Tensor, *, draw: Draw = no_noise, after: After = go_on) -> Tensor:
    """Steps by the slope at the middle, in the logarithm of the level, two calls each: DPM-Solver-2 as Karras et al. write it
    (arXiv 2206.00364, algorithm 3)."""
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        direction, from_level = slope(latents, clean, sigma), latents
        if target > 0:
            middle = sqrt(sigma * target)
            halfway = latents + (middle - sigma) * direction
            direction = slope(halfway, clean_at(denoise, halfway, middle), middle)
        latents = after(step, from_level + (target - sigma) * direction, clean)
    return latents


def lms(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw = no_noise,
    after: After = go_on,
    order: int = 4,
) -> Tensor:
    """Steps by the polynomial through the last slopes, after Adams and Bashforth, on uneven levels: k-diffusion."""
    levels = [float(sigma) for sigma in sigmas]
    slopes: list[Tensor] = []
    for step, (sigma, _) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        slopes = [slope(latents, clean, sigma), *slopes[: order - 1]]
        for weight, past in zip(_multistep_weights(levels, step, len(slopes)), slopes, strict=True):
            latents = latents + weight * past
        latents = after(step, latents, clean)
    return latents


def _multistep_weights(levels: list[float], step: int, order: int) -> list[float]:
    """Integrals over one step of the Lagrange polynomials through its level and those before it."""
    known = [levels[step - back] for back in range(order)]
    nodes, weights = np.polynomial.legendre.leggauss(order)  # exact for these degrees
    half = (levels[step + 1] - levels[step]) / 2
    at = levels[step] + half * (nodes + 1)
    integrals = []
    for own in known:
        basis = np.ones_like(at)
        for other in known:
            if other != own:
                basis = basis * (at - other) / (own - other)
        integrals.append(float(half * (weights @ basis)))
    return integrals


def dpmpp_2m(
    denoise: Denoise, latents: Tensor, sigmas: Tensor, *, draw: Draw = no_noise, after: After = go_on
) -> Tensor:
    """DPM-Solver++ of second order, multistep: Lu et al., arXiv 2211.01095, algorithm 2."""
    past: Tensor | None = None
    last = 0.0
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        if target == 0:
            latents = clean
        else:
            width = log(sigma / target)
            ahead = clean if past is None else clean + (clean - past) * (width / (2 * last))
            latents = (target / sigma) * latents - expm1(-width) * ahead
            past, last = clean, width
        latents = after(step, latents, clean)
    return latents
