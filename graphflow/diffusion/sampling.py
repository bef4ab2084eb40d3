"""The way from noise to a latent that all samplers share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from graphflow.diffusion import solvers
from graphflow.diffusion.forward import clean_estimate, sigma_table
from graphflow.diffusion.inpainting import KeptOutside
from graphflow.diffusion.noise import Draws, draw_noise
from graphflow.diffusion.scalings import SCALINGS
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
    generator: Draws | None = None,
    on_step: OnStep | None = None,
    keep: KeptOutside | None = None,
) -> Tensor:
    """Walk down a noise schedule and return the latents, float32, in the sampler's scale (`noise.left_latents` undoes it).

    `latents` come from `noise.start_latents` or `noise.resumed_latents`. `generator` gives the fresh noise of stochastic samplers:
    on the CPU, in float32, draws for the whole batch, or one for each picture, at each step (`Sampler.draws`). `keep` restricts the
    change to a mask.

    Raises ValueError for a stochastic sampler without a generator.
    """
    sampler = schedule.sampler
    if sampler.stochastic and generator is None:
        raise ValueError(f'the sampler "{sampler.name}" adds noise at each step and needs a generator')
    latents = latents.to(torch.float32)
    if keep is not None:
        latents = keep(latents, schedule, schedule.start)

    def after(step: int, latents: Tensor, clean: Tensor) -> Tensor:
        if keep is not None:
            latents = keep(latents, schedule, schedule.start + step + 1)
            clean = keep(clean, schedule, len(schedule.timesteps))
        if on_step is not None:
            on_step(step + 1, schedule.calls, latents, clean)
        return latents

    walk = _solve if sampler.solver else _follow_scheduler
    return walk(model, latents, schedule, generator, after)


def _solve(model: Model, latents: Tensor, schedule: Schedule, generator: Draws | None, after: solvers.After) -> Tensor:
    """Walk with a function of `solvers`."""
    shape = latents.shape
    fresh_noise = {} if generator is None else {"draw": lambda: draw_noise(shape, generator).to(latents)}
    solver: Callable[..., Tensor] = getattr(solvers, schedule.sampler.solver)
    levels = schedule.sigmas[schedule.start : schedule.end + 1]
    denoise = TimestepDenoiser(model, schedule)

    def next_step(step: int, latents: Tensor, clean: Tensor) -> Tensor:
        denoise.step_begins = True
        return after(step, latents, clean)

    return solver(denoise, latents, levels, after=next_step, **fresh_noise)


def _follow_scheduler(
    model: Model, latents: Tensor, schedule: Schedule, generator: Draws | None, after: solvers.After
) -> Tensor:
    """Walk with a scheduler of diffusers."""
    sampler = schedule.sampler
    scheduler = _scheduler(schedule)
    fresh_noise = {"generator": _as_diffusers_takes(generator)} if sampler.stochastic else {}
    for call in range(schedule.start, schedule.end):
        timestep = schedule.timesteps[call]
        prediction = model(scheduler.scale_model_input(latents, timestep), timestep).to(torch.float32)
        before = latents
        latents = scheduler.step(prediction, timestep, latents, return_dict=False, **fresh_noise)[0]
        clean = clean_estimate(prediction, before, sigma=schedule.sigma(call), scale=sampler.scale, spec=schedule.noise)
        latents = after(call - schedule.start, latents, clean)
    return latents


@dataclass(eq=False)
class TimestepDenoiser:
    """A `Model` as a denoiser by noise levels, one level for all latents; levels between two timesteps get a fraction."""

    model: Model
    schedule: Schedule
    step_begins: bool = True
    """The next call is the first one of a step."""

    def __call__(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The clean estimate, float32, for latents in exploding scale."""
        by = SCALINGS[self.schedule.noise.prediction](sigma[0])
        prediction = self.model(by.into * noisy, self._timestep(float(sigma[0]))).to(torch.float32)
        self.step_begins = False
        return by.skip * noisy + by.out * prediction

    def _timestep(self, sigma: float) -> Tensor:
        # dpm_2_a comes to the level of the next step on its way, where diffusers does not round the timestep yet.
        on_grid = self.step_begins or not self.schedule.sampler.rounds_karras
        known = self._visited.get(sigma) if on_grid else None
        if known is None:
            known = torch.tensor(np.interp(np.log(sigma), self._logarithms, range(len(self._logarithms))))
        return known.to(torch.float32)

    @cached_property
    def _visited(self) -> dict[float, Tensor]:
        levels = self.schedule.sigmas.tolist()
        return dict(zip(levels, self.schedule.timesteps, strict=False))

    @cached_property
    def _logarithms(self) -> NDArray[np.float64]:
        return np.asarray(np.log(sigma_table(self.schedule.noise).double().numpy()))


def _as_diffusers_takes(generator: Draws | None) -> Generator | list[Generator] | None:
    return generator if generator is None or isinstance(generator, Generator) else list(generator)


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
