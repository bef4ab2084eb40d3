"""The denoising loop that all samplers share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from torch import Generator, Tensor

from graphflow.diffusion.forward import clean_estimate
from graphflow.diffusion.inpainting import KeptOutside
from graphflow.diffusion.schedules import Schedule

Model = Callable[[Tensor, Tensor], Tensor]
"""`(latents, timestep) -> prediction`: latents `[batch, channels, height, width]` float32, scaled as the network expects them; the timestep a
tensor of no dimension; the prediction, noise or velocity, as the latents. Guiders are such callables."""

OnStep = Callable[[int, int, Tensor, Tensor], None]
"""`(step, total, latents, clean)` after each call: how many are done, of how many, the noisy latents, and the estimate of the clean ones.
What it raises ends the sampling; that is how a run is cancelled."""


@torch.no_grad()
def sample(
    model: Model,
    latents: Tensor,
    schedule: Schedule,
    *,
    generator: Generator | None = None,
    on_step: OnStep | None = None,
    keep: KeptOutside | None = None,
) -> Tensor:
    """Walk down a noise schedule and return the latents, float32, in the sampler's scale (`noise.left_latents` undoes it).

    `latents` come from `noise.start_latents` or `noise.resumed_latents`. `generator` gives the fresh noise of stochastic samplers:
    on the CPU, in float32, one draw for the whole batch at each step. `keep` restricts the change to a mask.

    Raises ValueError for a stochastic sampler without a generator.
    """
    sampler = schedule.sampler
    if sampler.stochastic and generator is None:
        raise ValueError(f'the sampler "{sampler.name}" adds noise at each step and needs a generator')
    scheduler = _scheduler(schedule)
    fresh_noise = {"generator": generator} if sampler.stochastic else {}
    latents = latents.to(torch.float32)
    if keep is not None:
        latents = keep(latents, schedule, schedule.start)
    for call in range(schedule.start, schedule.end):
        timestep = schedule.timesteps[call]
        prediction = model(scheduler.scale_model_input(latents, timestep), timestep).to(torch.float32)
        before = latents
        latents = scheduler.step(prediction, timestep, latents, return_dict=False, **fresh_noise)[0]
        if keep is not None:
            latents = keep(latents, schedule, call + 1)
        if on_step is not None:
            sigma = schedule.sigma(call)
            clean = clean_estimate(prediction, before, sigma=sigma, scale=sampler.scale, spec=schedule.noise)
            on_step(call + 1 - schedule.start, schedule.calls, latents, clean)
    return latents


def _scheduler(schedule: Schedule) -> Any:  # diffusers is not typed
    """The scheduler object of the sampler, standing before the first call of this schedule."""
    scheduler_class = getattr(diffusers, schedule.sampler.scheduler)
    noise = schedule.noise
    settings = {
        "num_train_timesteps": noise.train_steps,
        "beta_start": noise.beta_start,
        "beta_end": noise.beta_end,
        "beta_schedule": noise.beta_schedule,
        "prediction_type": noise.prediction,
        "rescale_betas_zero_snr": noise.zero_terminal_snr,
    }
    known = inspect.signature(scheduler_class.__init__).parameters
    scheduler = scheduler_class(
        **{name: value for name, value in settings.items() if name in known}, **schedule.sampler.config
    )
    scheduler.set_timesteps(schedule.steps)
    scheduler.timesteps = schedule.timesteps
    if hasattr(scheduler, "sigmas"):
        scheduler.sigmas = schedule.sigmas
        scheduler.set_begin_index(schedule.start)
    return scheduler
