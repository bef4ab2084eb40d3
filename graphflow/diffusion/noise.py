"""Noise, and the latents that sampling begins and ends with.

Noise is drawn on the CPU in float32, so that a seed means the same picture on every device and in every precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Generator, Tensor

from graphflow.diffusion.forward import add_noise
from graphflow.diffusion.schedules import Schedule
from graphflow.diffusion.sizes import latent_size

Draws = Generator | Sequence[Generator]
"""One generator for a whole batch, or one for each of its pictures."""


def draw_noise(shape: tuple[int, ...] | torch.Size, generator: Draws) -> Tensor:
    """Standard normal noise, float32, on the CPU.

    With one generator a batch is one draw: only its first picture is the one that the seed gives alone. With one for each picture,
    every picture is. Raises ValueError for a generator that is not on the CPU, or another number of them.
    """
    if not isinstance(generator, Generator):
        if len(generator) != shape[0]:
            raise ValueError(f"{len(generator)} generators do not fit a batch of {shape[0]}; give one for each picture")
        return torch.cat([draw_noise((1, *shape[1:]), each) for each in generator])
    if generator.device.type != "cpu":
        raise ValueError(
            f"noise is drawn on the CPU, but the generator is on {generator.device}; make one with torch.Generator()"
        )
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def empty_latents(*, width: int, height: int, batch: int = 1, channels: int = 4, reduction: int = 8) -> Tensor:
    """Latents of nothing: zeros of `[batch, channels, height / reduction, width / reduction]`. Raises ValueError for a size that does not fit."""
    columns, rows = latent_size(width, height, reduction=reduction)
    return torch.zeros(batch, channels, rows, columns)


def start_latents(latents: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """What sampling begins with: the latents with noise for the first call of the schedule, in the sampler's scale.

    Empty latents (zeros) and a whole schedule give pure noise, as text-to-image of diffusers does; all else is the latent at that
    noise level, as its image-to-image does. Both of shape `[batch, channels, height, width]`, float32; the result is on the latents' device.
    """
    if latents.shape != noise.shape:
        raise ValueError(
            f"latents of shape {list(latents.shape)} need noise of the same shape, not {list(noise.shape)}"
        )
    if schedule.starts_from_noise and not bool(latents.any()):
        return noise.to(latents) * _first_deviation(schedule)
    return add_noise(latents, noise.to(latents), sigma=schedule.sigma(schedule.start), scale=schedule.sampler.scale)


def resumed_latents(latents: Tensor, schedule: Schedule) -> Tensor:
    """Latents that an earlier part of the schedule left noisy (`left_latents`), in this sampler's scale."""
    return latents * _scale_of(schedule, schedule.start)


def left_latents(latents: Tensor, schedule: Schedule) -> Tensor:
    """What sampling ends with, as it travels: noise that is left has the variance-preserving scale, whatever the sampler."""
    if schedule.reaches_the_end:
        return latents
    return latents / _scale_of(schedule, schedule.end)


def without_noise(latents: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """Latents as `left_latents` gives them, before the first call of the schedule, without the noise that was added to them."""
    return latents * sqrt(1 + schedule.sigma(schedule.start) ** 2) - schedule.sigma(schedule.start) * noise.to(latents)


def _scale_of(schedule: Schedule, call: int) -> float:
    """Latents of the sampler over latents of variance-preserving scale."""
    return sqrt(1 + schedule.sigma(call) ** 2) if schedule.sampler.scale == "exploding" else 1.0


def _first_deviation(schedule: Schedule) -> float:
    if schedule.sampler.scale == "preserving":
        return 1.0
    sigma = schedule.sigma(0)
    return sqrt(1 + sigma**2) if schedule.spacing == "leading" else sigma
