"""The forward process: how a latent turns into noise, as the denoiser was trained (Ho et al., arXiv 2006.11239)."""

from __future__ import annotations

from math import cos, pi, sqrt

import torch
from torch import Tensor

from graphflow.diffusion.samplers import Scale
from graphflow.ports.model import NoiseSpec

_ALMOST_NO_SIGNAL = 2.0**-24
"""Stands for a signal of zero, whose noise level would be infinite."""


def betas(noise: NoiseSpec) -> Tensor:
    """Variance added at each training step: `[train_steps]`, float32. Raises ValueError for an unknown beta schedule."""
    steps, first, last = noise.train_steps, noise.beta_start, noise.beta_end
    if noise.beta_schedule == "linear":
        values = torch.linspace(first, last, steps, dtype=torch.float32)
    elif noise.beta_schedule == "scaled_linear":
        values = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float32) ** 2
    elif noise.beta_schedule == "squaredcos_cap_v2":
        values = _cosine_betas(steps)
    else:
        raise ValueError(
            f'the beta schedule "{noise.beta_schedule}" is unknown; use linear, scaled_linear or squaredcos_cap_v2'
        )
    return _to_zero_terminal_snr(values) if noise.zero_terminal_snr else values


def _cosine_betas(steps: int) -> Tensor:
    """Nichol and Dhariwal, arXiv 2102.09672, equation 17; no step removes more than 99.9 % of what is left."""

    def signal(share: float) -> float:
        return cos((share + 0.008) / 1.008 * pi / 2) ** 2

    drops = [1 - signal((step + 1) / steps) / signal(step / steps) for step in range(steps)]
    return torch.tensor([min(drop, 0.999) for drop in drops], dtype=torch.float32)


def _to_zero_terminal_snr(values: Tensor) -> Tensor:
    """Shift and stretch the signal so that none is left at the last step (Lin et al., arXiv 2305.08891, algorithm 1)."""
    root = torch.cumprod(1 - values, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    signal = ((root - last) * (first / (first - last))) ** 2
    return 1 - torch.cat([signal[:1], signal[1:] / signal[:-1]])


def alphas_cumprod(noise: NoiseSpec) -> Tensor:
    """Share of the variance that is still signal after each training step: `[train_steps]`, float32, falling from about 1."""
    return torch.cumprod(1 - betas(noise), dim=0)


def sigma_table(noise: NoiseSpec) -> Tensor:
    """Noise level of each training step, as a deviation beside a latent of deviation one: `[train_steps]`, float32, rising."""
    signal = alphas_cumprod(noise)
    if noise.zero_terminal_snr:
        signal[-1] = _ALMOST_NO_SIGNAL
    return ((1 - signal) / signal) ** 0.5


def add_noise(latents: Tensor, noise: Tensor, *, sigma: float, scale: Scale) -> Tensor:
    """The latents at a noise level, in the scale of a sampler; all of one shape, float32."""
    exploded = latents + sigma * noise
    return exploded if scale == "exploding" else exploded / sqrt(1 + sigma**2)


def clean_estimate(prediction: Tensor, noisy: Tensor, *, sigma: float, scale: Scale, spec: NoiseSpec) -> Tensor:
    """What the latent would be without its noise, if the denoiser's prediction were right.

    `noisy` is in the scale of the sampler. Raises ValueError for a prediction that is neither noise nor velocity.
    """
    level = sqrt(1 + sigma**2)
    preserved = noisy / level if scale == "exploding" else noisy
    if spec.prediction == "epsilon":
        return preserved * level - sigma * prediction
    if spec.prediction == "v_prediction":
        return (preserved - sigma * prediction) / level
    raise ValueError(f'prediction "{spec.prediction}" has no clean estimate here; use epsilon or v_prediction')
