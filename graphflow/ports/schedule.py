"""Noise schedules, as recipes: which levels they visit depends on the denoiser and sampler that they are used with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from graphflow.ports.base import PortType

ScheduleName = Literal[
    "normal",
    "karras",
    "exponential",
    "beta",
    "sgm_uniform",
    "simple",
    "ddim_uniform",
    "kl_optimal",
    "align_your_steps",
    "align_your_steps_xl",
]
Spacing = Literal["leading", "trailing", "linspace"]


@dataclass(frozen=True)
class NoiseSchedule(PortType):
    """The noise levels of a sampling, from all noise to none, and which of its steps to make."""

    kind: Literal["auto", ScheduleName] = "auto"
    """`auto` is karras for samplers that have it, normal for others. Without meaning where there are `sigmas`."""
    steps: int = 20
    """From all noise to none, before any cut."""
    spacing: Spacing = "leading"
    sigmas: tuple[float, ...] = ()
    """One's own noise levels, falling, one for each step; a last one of 0 may be left out. Empty for those of `kind`."""
    strength: float = 1.0
    """Share of the steps that are made, the last ones: below 1, a picture is changed, not made anew."""
    start_step: int = 0
    """First step that is made..."""
    end_step: int | None = None
    """... and the one before which to stop; None for the end."""
    start: float = 0.0
    """Share of the denoiser's training steps, 0 (all noise) to 1 (none), from which steps are made; as diffusers' denoising_start."""
    end: float = 1.0
    """Share of them at which to stop; as diffusers' denoising_end."""

    color: ClassVar[str] = "#90a4ae"
