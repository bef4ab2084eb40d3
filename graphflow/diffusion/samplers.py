"""Which samplers there are, and what each one is made of. Nothing here imports torch.

A sampler is a row: the diffusers scheduler that takes its steps, the grid that its noise schedule lies on, and the scale that its
latents have on the way. `graphflow.diffusion.sampling` holds the one loop that all of them share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

SamplerName = Literal["euler", "euler_a", "ddim", "dpmpp_2m", "pndm"]
ScheduleName = Literal["normal", "karras"]
Spacing = Literal["leading", "trailing", "linspace"]

Grid = Literal["continuous", "integer", "plms", "dpm"]
"""How steps become timesteps.

`continuous`: fractions of a timestep are allowed; `integer`: rounded; `plms`: rounded, and the second one is visited twice to warm up;
`dpm`: rounded, one point more than steps, the last of which is not visited.
"""

Scale = Literal["exploding", "preserving"]
"""`exploding`: latent + sigma * noise; `preserving`: the same over sqrt(1 + sigma^2), so that the deviation stays about one."""


@dataclass(frozen=True)
class Sampler:
    """One way to walk from noise to a latent."""

    name: str
    scheduler: str
    """Class in diffusers that computes one step."""
    grid: Grid
    scale: Scale
    schedules: tuple[ScheduleName, ...] = ("normal", "karras")
    """Noise schedules that it can follow."""
    stochastic: bool = False
    """It adds fresh noise at each step."""
    zero_terminal_snr: bool = True
    """It can start where the latent is nothing but noise (Lin et al., arXiv 2305.08891)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the scheduler class that make it this sampler; any value that its constructor takes."""


SAMPLERS: Mapping[str, Sampler] = {
    sampler.name: sampler
    for sampler in (
        # Karras et al., arXiv 2206.00364, algorithm 2 without churn
        Sampler("euler", "EulerDiscreteScheduler", "continuous", "exploding"),
        # Euler steps with fresh noise, after k-diffusion
        Sampler("euler_a", "EulerAncestralDiscreteScheduler", "continuous", "exploding", stochastic=True),
        # Song et al., arXiv 2010.02502, eta = 0
        Sampler(
            "ddim",
            "DDIMScheduler",
            "integer",
            "preserving",
            schedules=("normal",),
            config={"clip_sample": False, "set_alpha_to_one": False},
        ),
        # DPM-Solver++ of second order, multistep: Lu et al., arXiv 2211.01095
        Sampler("dpmpp_2m", "DPMSolverMultistepScheduler", "dpm", "preserving"),
        # Pseudo linear multistep: Liu et al., arXiv 2202.09778
        Sampler(
            "pndm",
            "PNDMScheduler",
            "plms",
            "preserving",
            schedules=("normal",),
            zero_terminal_snr=False,
            config={"skip_prk_steps": True, "set_alpha_to_one": False},
        ),
    )
}
"""All samplers by name."""

SAMPLER_NAMES: tuple[str, ...] = get_args(SamplerName)
SCHEDULE_NAMES: tuple[str, ...] = get_args(ScheduleName)


def find_sampler(name: str) -> Sampler:
    """The sampler of that name. Raises ValueError, listing the names, for any other."""
    if name not in SAMPLERS:
        raise ValueError(f'there is no sampler "{name}"; use one of {", ".join(SAMPLER_NAMES)}')
    return SAMPLERS[name]
