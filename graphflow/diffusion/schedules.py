"""Noise schedules: which timesteps and noise levels a sampler visits.

The definitions are those of diffusers' schedulers, which differ from sampler to sampler in small ways (`Sampler.grid`); docs/samplers.md tells
where each schedule that diffusers lacks comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from graphflow.diffusion.cuts import Cut
from graphflow.diffusion.forward import sigma_table
from graphflow.diffusion.levels import (
    Floats,
    Integers,
    beta_sigmas,
    ddim_timesteps,
    even_timesteps,
    exponential_sigmas,
    falling_levels,
    karras_sigmas,
    kl_optimal_sigmas,
    lcm_timesteps,
    refined_sigmas,
    simple_timesteps,
)
from graphflow.diffusion.samplers import Grid, Sampler, find_sampler, schedule_kind
from graphflow.ports.model import Denoiser, NoiseSpec
from graphflow.ports.schedule import NoiseSchedule, ScheduleName, Spacing

_BY_LEVEL: Mapping[str, Callable[[float, float, int], Floats]] = {
    "karras": karras_sigmas,
    "exponential": exponential_sigmas,
    "beta": beta_sigmas,
    "kl_optimal": kl_optimal_sigmas,
}
"""Schedules of noise levels between a lowest and a highest one."""

_BY_TIMESTEP: Mapping[str, Callable[..., Integers]] = {
    "sgm_uniform": even_timesteps,
    "simple": simple_timesteps,
    "ddim_uniform": ddim_timesteps,
}
"""Schedules of whole timesteps, whatever the spacing."""

_ALIGNED: Mapping[str, str] = {
    "align_your_steps": "StableDiffusionSigmas",
    "align_your_steps_xl": "StableDiffusionXLSigmas",
}
"""Schedules that were fitted to a family (Sabour et al., arXiv 2404.14507), by their names in diffusers."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The steps of one sampling, and which of them to make.

    A step is a call of the denoiser, except that some solvers call it again on their way to the next noise level.
    """

    sampler: Sampler
    noise: NoiseSpec
    kind: ScheduleName | Literal["custom"]
    spacing: Spacing
    steps: int
    """Steps from all noise to none, before any cut."""
    timesteps: Tensor
    """`[calls]`, falling; float32 on a continuous grid, else int64. As many calls as steps; with pndm one more."""
    sigmas: Tensor
    """`[calls + 1]`, float32: noise level before each call, and after the last one."""
    start: int
    """First call that is made."""
    end: int
    """Call before which to stop."""

    @property
    def calls(self) -> int:
        """How many steps are made."""
        return self.end - self.start

    @property
    def starts_from_noise(self) -> bool:
        """No call at the noisy end is left out."""
        return self.start == 0

    @property
    def reaches_the_end(self) -> bool:
        """No call at the clean end is left out, so that no noise stays."""
        return self.end == len(self.timesteps)

    def sigma(self, call: int) -> float:
        """Noise level before a call."""
        return float(self.sigmas[call])


def make_schedule(
    noise: NoiseSpec,
    sampler: Sampler | str,
    *,
    steps: int,
    kind: ScheduleName = "normal",
    spacing: Spacing = "leading",
    steps_offset: int = 1,
    strength: float = 1.0,
    start_step: int = 0,
    end_step: int | None = None,
    start: float = 0.0,
    end: float = 1.0,
) -> Schedule:
    """The schedule of a sampler for a denoiser trained with `noise`.

    `spacing` (Lin et al., arXiv 2305.08891, table 2) and `steps_offset`, which only `leading` uses, default to what the published
    Stable Diffusion files say. `strength` 0 to 1 leaves out the first calls as image-to-image of diffusers does: min(int(steps *
    strength), steps) stay, and with pndm one more. `start_step` and `end_step` make a part of the steps, `start` and `end` a part by
    shares of the training steps; parts in a row equal the whole, except that the multistep samplers (dpmpp_2m and 3m, pndm, lms,
    unipc, deis) begin each part without memory.

    Raises ValueError for a combination that does not exist, or when no step is left.
    """
    method = find_sampler(sampler) if isinstance(sampler, str) else sampler
    _check_combination(method, noise, kind)
    whole = _whole_schedule(noise, method, steps=steps, kind=kind, spacing=spacing, steps_offset=steps_offset)
    return _cut(whole, Cut(strength, start_step, end_step, start, end))


def schedule_of(recipe: NoiseSchedule, denoiser: Denoiser, sampler: Sampler | str) -> Schedule:
    """The schedule that a recipe gives for a denoiser and a sampler. Raises ValueError as `make_schedule` and `custom_schedule` do."""
    method = find_sampler(sampler) if isinstance(sampler, str) else sampler
    cut = Cut(recipe.strength, recipe.start_step, recipe.end_step, recipe.start, recipe.end)
    if recipe.sigmas:
        return custom_schedule(denoiser.noise, method, recipe.sigmas, **vars(cut))
    kind = schedule_kind(recipe.kind, method, family=denoiser.family)
    return make_schedule(denoiser.noise, method, steps=recipe.steps, kind=kind, spacing=recipe.spacing, **vars(cut))


def custom_schedule(
    noise: NoiseSpec,
    sampler: Sampler | str,
    sigmas: Sequence[float],
    *,
    strength: float = 1.0,
    start_step: int = 0,
    end_step: int | None = None,
    start: float = 0.0,
    end: float = 1.0,
) -> Schedule:
    """A schedule of one's own noise levels: falling, one per step, with or without the final 0, which is never left out.

    All else is as with `make_schedule`. Raises ValueError for samplers that visit fixed timesteps (ddim, ddpm, pndm, lcm), for levels that
    do not fall, and for levels that the denoiser was not trained on.
    """
    method = find_sampler(sampler) if isinstance(sampler, str) else sampler
    _check_combination(method, noise, "karras", asked="custom")
    levels = falling_levels(sigmas)
    table = sigma_table(noise).double().numpy()
    if levels[0] > table[-1] * 1.01:
        raise ValueError(
            f"the noise level {levels[0]:g} is above all that the denoiser knows; begin at {table[-1]:.4g} or below"
        )
    timesteps = _timesteps_of(levels, table, method, noise, "custom")
    whole = _schedule(noise, method, timesteps, levels, kind="custom", spacing="leading", steps=len(levels))
    return _cut(whole, Cut(strength, start_step, end_step, start, end))


def _check_combination(sampler: Sampler, noise: NoiseSpec, kind: str, *, asked: str = "") -> None:
    if kind not in sampler.schedules:
        raise ValueError(
            f'the sampler "{sampler.name}" has no "{asked or kind}" schedule; it works with {", ".join(sampler.schedules)}'
        )
    if noise.prediction not in ("epsilon", "v_prediction"):
        raise ValueError(
            f'the sampler "{sampler.name}" needs a denoiser that predicts epsilon or v_prediction, not {noise.prediction}'
        )
    if noise.zero_terminal_snr and not sampler.zero_terminal_snr:
        raise ValueError(
            f'the sampler "{sampler.name}" cannot start where no signal is left, as this denoiser was trained; '
            "use ddim, euler, euler_a or dpmpp_2m"
        )
    if noise.zero_terminal_snr and kind in _ALIGNED:
        raise ValueError(f'the schedule "{kind}" begins where some signal is left; use another one for this denoiser')


def _cut(whole: Schedule, cut: Cut) -> Schedule:
    steps, _ = _without_warm_up(whole)
    first, last = cut.steps(steps.numpy(), train_steps=whole.noise.train_steps)
    if cut.strength != 1.0:
        return replace(whole, start=first)  # pndm keeps its warm-up where the whole schedule has it, as diffusers does
    return _part(whole, first, last)


def _part(whole: Schedule, first: int, last: int) -> Schedule:
    """The steps from `first` up to, not including, `last`; pndm warms up anew where the part begins."""
    if whole.sampler.grid != "plms":
        return replace(whole, start=first, end=last)
    steps, levels = _without_warm_up(whole)
    warm_up = [first + 1] if last - first > 1 else []
    order = [*range(first + 1), *warm_up, *range(first + 1, whole.steps)]
    return replace(
        whole,
        timesteps=steps[order],
        sigmas=levels[[*order, whole.steps]],
        start=first,
        end=last + len(warm_up),
    )


def _without_warm_up(whole: Schedule) -> tuple[Tensor, Tensor]:
    """Timesteps and noise levels with each step once."""
    if whole.sampler.grid != "plms" or whole.steps == 1:
        return whole.timesteps, whole.sigmas
    steps, levels = whole.timesteps, whole.sigmas
    return torch.cat([steps[:1], steps[2:]]), torch.cat([levels[:1], levels[2:]])


def _whole_schedule(
    noise: NoiseSpec, sampler: Sampler, *, steps: int, kind: ScheduleName, spacing: Spacing, steps_offset: int
) -> Schedule:
    table = sigma_table(noise).double().numpy()
    if kind in _BY_TIMESTEP:
        _check_steps(steps, noise.train_steps)
        timesteps = _BY_TIMESTEP[kind](steps, train_steps=noise.train_steps).astype(np.float64)
    elif sampler.grid == "lcm":
        timesteps = lcm_timesteps(steps, train_steps=noise.train_steps).astype(np.float64)
    else:
        timesteps = _spaced_timesteps(noise.train_steps, sampler.grid, steps, spacing, steps_offset)
    sigmas = np.interp(timesteps, np.arange(len(table)), table)
    if kind in _BY_LEVEL or kind in _ALIGNED:
        sigmas = _levels(kind, sampler, table, sigmas)
        timesteps = _timesteps_of(sigmas, table, sampler, noise, kind)
    if np.any(np.diff(sigmas) >= 0):
        raise ValueError(
            f'{steps} steps are too many for "{sampler.name}" with {spacing} spacing: neighbours share a noise level; '
            "use fewer steps"
        )
    return _schedule(noise, sampler, timesteps, sigmas, kind=kind, spacing=spacing, steps=steps)


def _schedule(
    noise: NoiseSpec,
    sampler: Sampler,
    timesteps: Floats,
    sigmas: Floats,
    *,
    kind: ScheduleName | Literal["custom"],
    spacing: Spacing,
    steps: int,
) -> Schedule:
    final = 0.0 if sampler.ends_clean else float(sigma_table(noise)[0])
    if sampler.grid == "plms" and steps > 1:
        timesteps, sigmas = (np.concatenate([values[:2], values[1:]]) for values in (timesteps, sigmas))
    dtype = torch.float32 if sampler.grid == "continuous" else torch.int64
    return Schedule(
        sampler=sampler,
        noise=noise,
        kind=kind,
        spacing=spacing,
        steps=steps,
        timesteps=torch.from_numpy(timesteps.copy()).to(dtype),
        sigmas=torch.from_numpy(np.append(sigmas, final)).float(),
        start=0,
        end=len(timesteps),
    )


def _levels(kind: str, sampler: Sampler, table: Floats, spaced: Floats) -> Floats:
    """Noise levels of a schedule that is no grid of timesteps; `spaced` are those of the normal schedule."""
    steps = len(spaced)
    if kind in _ALIGNED:
        from diffusers.schedulers import AysSchedules  # imported here: diffusers takes a second

        # The last level is 0 there, where only the curve's way to the lowest level can be refined.
        points = [*AysSchedules[_ALIGNED[kind]][:-1], float(table[0])]
        return refined_sigmas(points, steps + 1)[:-1]
    whole_range = sampler.grid == "dpm" or kind == "kl_optimal"
    highest, lowest = (table[-1], table[0]) if whole_range else (spaced[0], spaced[-1])
    return _BY_LEVEL[kind](float(lowest), float(highest), steps)


def _timesteps_of(sigmas: Floats, table: Floats, sampler: Sampler, noise: NoiseSpec, kind: str) -> Floats:
    """Timesteps of noise levels, straight in the logarithm between those of training; whole ones where diffusers has them."""
    if sampler.grid == "dpm" and kind in ("exponential", "beta"):
        # diffusers cuts these off, and its logarithms in single precision decide that the highest level is timestep 998.
        return np.floor(np.interp(np.log(sigmas), np.log(table.astype(np.float32)), np.arange(len(table))))
    timesteps = np.interp(np.log(sigmas), np.log(table), np.arange(len(table)))
    if kind == "karras":
        whole = sampler.rounds_karras or (sampler.grid == "dpm" and noise.beta_schedule != "squaredcos_cap_v2")
    else:
        whole = sampler.grid == "dpm"
    return timesteps.round() if whole else timesteps


def _check_steps(steps: int, train_steps: int) -> None:
    if not 1 <= steps <= train_steps:
        raise ValueError(f"{steps} steps are out of range; use 1 to {train_steps}")


def _spaced_timesteps(train_steps: int, grid: Grid, steps: int, spacing: str, offset: int) -> Floats:
    """The timesteps of the normal schedule, falling; the offset is dropped where it would leave the trained range."""
    _check_steps(steps, train_steps)
    points = steps + 1 if grid == "dpm" else steps
    if spacing == "linspace":
        values = np.linspace(0, train_steps - 1, points)
        values = (values if grid == "continuous" else values.round())[::-1]
    elif spacing == "leading":
        values = np.arange(points, dtype=np.float64)[::-1] * (train_steps // points)
        values = values + min(offset, train_steps - 1 - int(values[0]))
    elif spacing == "trailing":
        values = np.arange(train_steps, 0, -train_steps / steps).round() - 1
    else:
        raise ValueError(f'the spacing "{spacing}" is unknown; use leading, trailing or linspace')
    return np.array(values[:steps], dtype=np.float64)
