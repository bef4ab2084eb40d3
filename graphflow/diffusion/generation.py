"""A whole sampling, from recipes to a latent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Generator, Tensor

from graphflow.diffusion.guider_recipes import opened_guider
from graphflow.diffusion.inpainting import KeptOutside
from graphflow.diffusion.latent_space import check_latent_space, space_of
from graphflow.diffusion.noise import (
    Draws,
    draw_noise,
    left_latents,
    resumed_latents,
    start_latents,
    without_noise,
)
from graphflow.diffusion.sampling import OnStep, sample
from graphflow.diffusion.schedules import Schedule, schedule_of
from graphflow.ports.guider import Guider
from graphflow.ports.latent import Latent
from graphflow.ports.noise import Noise
from graphflow.ports.schedule import NoiseSchedule

if TYPE_CHECKING:
    from graphflow.authoring import ModelService


@dataclass(frozen=True, eq=False)
class Sampled:
    """What a sampling ends with."""

    latent: Latent
    """With the noise of the steps that were not made, if any."""
    clean: Latent
    """The estimate, at the last step, of what it is without any noise."""


def sample_latent(
    models: ModelService,
    guider: Guider,
    latent: Latent,
    *,
    sampler: str,
    schedule: NoiseSchedule,
    noise: Noise,
    generator: Callable[[int], Generator],
    on_step: OnStep | None = None,
) -> Sampled:
    """Sample along a schedule; `generator` makes one on the CPU from a seed. The latent's noise mask says where it may change.

    A latent whose noise is not all removed travels in the variance-preserving scale, whatever the sampler, and another sampling goes on
    with it (`Noise.is_added` false, same seeds): parts in a row equal the whole but for the memory of multistep samplers.

    Raises ValueError for settings that contradict each other and for parts that do not fit together, ModelError and OutOfMemory as
    `network.opened_network`.
    """
    check_latent_space(latent, guider.denoiser)
    steps = schedule_of(schedule, guider.denoiser, sampler)
    draws = _draws(noise, batch=len(latent.samples), generator=generator)
    drawn = draw_noise(latent.samples.shape, draws)
    if noise.is_added:
        start = start_latents(latent.samples, drawn, steps)
    else:
        _skip_draws(steps, drawn, draws)
        start = resumed_latents(latent.samples, steps)
    clean = latent.samples

    def remember(step: int, total: int, latents: Tensor, estimate: Tensor) -> None:
        nonlocal clean
        clean = estimate
        if on_step is not None:
            on_step(step, total, latents, estimate)

    rows, columns = latent.samples.shape[-2:]
    size = {"width": columns * latent.reduction, "height": rows * latent.reduction}
    with opened_guider(models, guider, **size) as model:
        samples = sample(
            model,
            start,
            steps,
            generator=draws,
            on_step=remember,
            keep=_kept(latent, drawn, steps, is_noisy=not noise.is_added),
        )
    made = replace(latent, samples=left_latents(samples, steps), space=space_of(guider.denoiser))
    return Sampled(made, replace(made, samples=clean))


def _draws(noise: Noise, *, batch: int, generator: Callable[[int], Generator]) -> Draws:
    """One generator for the batch, or one for each picture. Raises ValueError for another number of seeds."""
    if len(noise.seeds) == 1:
        return generator(noise.seeds[0])
    if len(noise.seeds) != batch:
        raise ValueError(
            f"{len(noise.seeds)} seeds do not fit a batch of {batch}; give one seed for each picture, or one for all of them"
        )
    return [generator(seed) for seed in noise.seeds]


def _skip_draws(schedule: Schedule, noise: Tensor, draws: Draws) -> None:
    """Pass over the fresh noise of earlier steps, so that sampling in parts draws what sampling in one go draws."""
    if schedule.sampler.stochastic:
        for _ in range(schedule.start * schedule.sampler.draws):
            draw_noise(noise.shape, draws)


def _kept(latent: Latent, noise: Tensor, schedule: Schedule, *, is_noisy: bool) -> KeptOutside | None:
    """The latent outside of its noise mask; of one that is noisy already, an earlier part of the schedule added the same noise."""
    if latent.noise_mask is None:
        return None
    if is_noisy and schedule.starts_from_noise:
        raise ValueError(
            "a noise mask needs a latent without noise, or one that an earlier part of the schedule left noisy with the same "
            "seeds; this sampling adds no noise, yet begins at the first step. Let it add noise, or take the mask away"
        )
    original = without_noise(latent.samples, noise, schedule) if is_noisy else latent.samples
    return KeptOutside.of(original, noise=noise, mask=latent.noise_mask)
