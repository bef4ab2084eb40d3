"""Which schedulers of diffusers define which samplers and schedules."""

from __future__ import annotations

import inspect
from typing import Any

import diffusers

from graphflow.diffusion import SAMPLERS

OPTIONS: dict[str, dict[str, bool]] = {
    "normal": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
}
"""Schedules that diffusers has, and how to ask for them."""

KNOWN = [
    (name, kind)
    for name, sampler in SAMPLERS.items()
    for kind in sampler.schedules
    # diffusers gives the ancestral sampler no other schedule.
    if sampler.scheduler and kind in OPTIONS and (name != "euler_a" or kind == "normal")
]
"""Samplers and schedules that diffusers defines."""

STABLE_DIFFUSION: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def scheduler_class(name: str) -> Any:
    """The class of a sampler."""
    return getattr(diffusers, SAMPLERS[name].scheduler)


def make_scheduler(name: str, kind: str = "normal", **config: Any) -> Any:
    """The scheduler of a sampler and schedule, as Stable Diffusion has it but for `config`."""
    settings = {**STABLE_DIFFUSION, "steps_offset": 1, **OPTIONS[kind], **SAMPLERS[name].config, **config}
    made = scheduler_class(name)
    known = inspect.signature(made.__init__).parameters
    return made(**{option: value for option, value in settings.items() if option in known})
