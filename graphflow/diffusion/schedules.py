"""Noise schedules: which timesteps and noise levels a sampler visits.

The definitions are those of diffusers' schedulers, which differ from sampler to sampler in small ways (`Sampler.grid`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphflow.diffusion.forward import sigma_table
from graphflow.diffusion.samplers import Grid, Sampler, ScheduleName, Spacing, find_sampler
from graphflow.ports.model import NoiseSpec

Floats = NDArray[np.float64]

KARRAS_RHO = 7.0
"""Crowds the steps towards low noise (Karras et al., arXiv 2206.00364, section D.1)."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The denoiser calls of one sampling, and which of them to make."""

    sampler: Sampler
    noise: NoiseSpec
    kind: ScheduleName
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
        """How often the denoiser is called."""
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
) -> Schedule:
    """The schedule of a sampler for a denoiser trained with `noise`.

    `spacing` (Lin et al., arXiv 2305.08891, table 2) and `steps_offset`, which only `leading` uses, default to what the published
    Stable Diffusion files say. `strength` 0 to 1 leaves out the first calls as image-to-image of diffusers does: min(int(steps *
    strength), steps) stay, and with pndm one more. `start_step` and `end_step` make a part of the steps; parts in a row equal the
    whole for euler and ddim, while the multistep samplers (dpmpp_2m, pndm) begin each part without memory.

    Raises ValueError for a combination that does not exist, or when no step is left.
    """
    method = find_sampler(sampler) if isinstance(sampler, str) else sampler
    _check_combination(method, noise, kind)
    whole = _whole_schedule(noise, method, steps=steps, kind=kind, spacing=spacing, steps_offset=steps_offset)
    last = steps if end_step is None else min(end_step, steps)
    if strength != 1.0:
        if start_step != 0 or last != steps:
            raise ValueError(
                f"strength {strength:g} and steps {start_step} to {last} were both asked for; "
                "use strength 1 with start_step and end_step, or strength alone"
            )
        return replace(whole, start=_strength_cut(steps, strength))
    if not 0 <= start_step < last:
        raise ValueError(
            f"steps {start_step} to {last} of {steps} leave nothing to do; start_step must be at least 0 and below end_step"
        )
    return _part(whole, start_step, last)


def karras_sigmas(lowest: float, highest: float, steps: int) -> Floats:
    """Noise levels from highest to lowest, evenly spaced in their 7th root (Karras et al., arXiv 2206.00364, equation 5)."""
    ramp = np.linspace(0, 1, steps)
    roots = highest ** (1 / KARRAS_RHO) + ramp * (lowest ** (1 / KARRAS_RHO) - highest ** (1 / KARRAS_RHO))
    return np.asarray(roots**KARRAS_RHO, dtype=np.float64)


def _check_combination(sampler: Sampler, noise: NoiseSpec, kind: str) -> None:
    if kind not in sampler.schedules:
        raise ValueError(
            f'the sampler "{sampler.name}" has no "{kind}" schedule; it works with {", ".join(sampler.schedules)}'
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


def _strength_cut(steps: int, strength: float) -> int:
    if not 0 < strength <= 1:
        raise ValueError(f"strength {strength:g} is out of range; use more than 0 and at most 1")
    kept = min(int(steps * strength), steps)
    if kept < 1:
        raise ValueError(
            f"strength {strength:g} of {steps} steps leaves no step to make; use a strength of at least {1 / steps:.2g} "
            "or more steps"
        )
    return steps - kept


def _part(whole: Schedule, first: int, last: int) -> Schedule:
    """The steps from `first` up to, not including, `last`; pndm warms up anew where the part begins."""
    if whole.sampler.grid != "plms":
        return replace(whole, start=first, end=last)
    steps = torch.cat([whole.timesteps[:1], whole.timesteps[2:]]) if whole.steps > 1 else whole.timesteps
    levels = torch.cat([whole.sigmas[:1], whole.sigmas[2:]]) if whole.steps > 1 else whole.sigmas
    warm_up = [first + 1] if last - first > 1 else []
    order = [*range(first + 1), *warm_up, *range(first + 1, whole.steps)]
    return replace(
        whole,
        timesteps=steps[order],
        sigmas=levels[[*order, whole.steps]],
        start=first,
        end=last + len(warm_up),
    )


def _whole_schedule(
    noise: NoiseSpec, sampler: Sampler, *, steps: int, kind: ScheduleName, spacing: Spacing, steps_offset: int
) -> Schedule:
    timesteps = _spaced_timesteps(noise.train_steps, sampler.grid, steps, spacing, steps_offset)
    table = sigma_table(noise).double().numpy()
    sigmas = np.interp(timesteps, np.arange(len(table)), table)
    if kind == "karras":
        highest, lowest = (table[-1], table[0]) if sampler.grid == "dpm" else (sigmas[0], sigmas[-1])
        sigmas = karras_sigmas(float(lowest), float(highest), steps)
        timesteps = np.interp(np.log(sigmas), np.log(table), np.arange(len(table)))
        if sampler.grid == "dpm" and noise.beta_schedule != "squaredcos_cap_v2":
            timesteps = timesteps.round()
    if np.any(np.diff(sigmas) >= 0):
        raise ValueError(
            f'{steps} steps are too many for "{sampler.name}" with {spacing} spacing: neighbours share a noise level; '
            "use fewer steps"
        )
    # ddim and pndm stop at the first training step, whose noise they leave in.
    final = 0.0 if sampler.grid in ("continuous", "dpm") else float(table[0])
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


def _spaced_timesteps(train_steps: int, grid: Grid, steps: int, spacing: str, offset: int) -> Floats:
    """The timesteps of the normal schedule, falling; the offset is dropped where it would leave the trained range."""
    if not 1 <= steps <= train_steps:
        raise ValueError(f"{steps} steps are out of range; use 1 to {train_steps}")
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
