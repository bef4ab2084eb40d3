"""Ancestral solvers: each step goes down too far, and fresh noise leads up again. `eta` scales how far; 0 adds none."""

from __future__ import annotations

from math import expm1, log, sqrt

from torch import Tensor

from graphflow.diffusion.scalings import Denoise
from graphflow.diffusion.solvers.step import After, Draw, ancestral_split, clean_at, go_on, pairs, slope


def euler_ancestral(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """Straight steps down, with noise of deviation `noise`: k-diffusion; eta 1 is the sampling of Ho et al., arXiv 2006.11239, at large steps."""
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        down, up = ancestral_split(sigma, target, eta)
        latents = latents + (down - sigma) * slope(latents, clean, sigma)
        latents = after(step, _risen(latents, up * noise, draw), clean)
    return latents


def dpm_2_ancestral(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """`ode.dpm_2` with ancestral noise, two calls a step: k-diffusion."""
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        down, up = ancestral_split(sigma, target, eta)
        direction = slope(latents, clean, sigma)
        if down > 0:
            middle = sqrt(sigma * down)
            halfway = latents + (middle - sigma) * direction
            direction = slope(halfway, clean_at(denoise, halfway, middle), middle)
        latents = latents + (down - sigma) * direction
        latents = after(step, _risen(latents, up * noise, draw), clean)
    return latents


def dpmpp_2s_ancestral(
    denoise: Denoise,
    latents: Tensor,
    sigmas: Tensor,
    *,
    draw: Draw,
    after: After = go_on,
    eta: float = 1.0,
    noise: float = 1.0,
) -> Tensor:
    """DPM-Solver++ of second order, singlestep (Lu et al., arXiv 2211.01095, algorithm 1), with ancestral noise; two calls a step."""
    for step, (sigma, target) in enumerate(pairs(sigmas)):
        clean = clean_at(denoise, latents, sigma)
        down, up = ancestral_split(sigma, target, eta)
        if down == 0:
            latents = clean
        else:
            width, middle = log(sigma / down), sqrt(sigma * down)
            halfway = (middle / sigma) * latents - expm1(-width / 2) * clean
            latents = (down / sigma) * latents - expm1(-width) * clean_at(denoise, halfway, middle)
        latents = after(step, _risen(latents, up * noise, draw), clean)
    return latents


def _risen(latents: Tensor, deviation: float, draw: Draw) -> Tensor:
    return latents + draw() * deviation if deviation > 0 else latents
