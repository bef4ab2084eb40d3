"""Which samplers there are, and what each one is made of. Nothing here imports torch.

A sampler is a row: what takes its steps (a scheduler of diffusers, or a function of `graphflow.diffusion.solvers`), the grid that its noise
schedule lies on, and the scale that its latents have on the way. `graphflow.diffusion.sampling` walks with any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from graphflow.ports.schedule import ScheduleName as ScheduleName, Spacing as Spacing

SamplerName = Literal[
    "euler",
    "euler_a",
    "ddim",
    "dpmpp_2m",
    "pndm",
    "heun",
    "dpm_2",
    "dpm_2_a",
    "lms",
    "ddpm",
    "dpmpp_2s_a",
    "dpmpp_sde",
    "dpmpp_2m_sde",
    "dpmpp_3m_sde",
    "unipc",
    "deis",
    "lcm",
]

SAMPLER_NAMES: tuple[str, ...] = get_args(SamplerName)
SCHEDULE_NAMES: tuple[ScheduleName, ...] = get_args(ScheduleName)

Grid = Literal["continuous", "integer", "plms", "dpm", "lcm"]
"""How steps become timesteps.

`continuous`: fractions of a timestep are allowed; `integer`: rounded; `plms`: rounded, and the second one is visited twice to warm up;
`dpm`: rounded, one point more than steps, the last of which is not visited; `lcm`: some of the 50 that consistency models are distilled on.
"""

Scale = Literal["exploding", "preserving"]
"""`exploding`: latent + sigma * noise; `preserving`: the same over sqrt(1 + sigma^2), so that the deviation stays about one."""


@dataclass(frozen=True)
class Sampler:
    """One way to walk from noise to a latent."""

    name: str
    scheduler: str
    """Class in diffusers that computes one step, or, where there is a `solver`, the one that it equals; empty for none."""
    grid: Grid
    scale: Scale
    schedules: tuple[ScheduleName, ...] = get_args(ScheduleName)
    """Noise schedules that it can follow."""
    solver: str = ""
    """Function of `graphflow.diffusion.solvers` that walks, in place of the scheduler."""
    stochastic: bool = False
    """It adds fresh noise at each step."""
    draws: int = 1
    """Draws of noise per step where it is stochastic."""
    ends_clean: bool = True
    """Its last step reaches noise level 0; others stop at the first training step, whose noise they leave in."""
    rounds_karras: bool = False
    """It visits whole timesteps on the Karras schedule, whatever its grid."""
    zero_terminal_snr: bool = True
    """It can start where the latent is nothing but noise (Lin et al., arXiv 2305.08891)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the scheduler class that make it this sampler; any value that its constructor takes."""


_NORMAL_ONLY: tuple[ScheduleName, ...] = ("normal",)
_FINAL_NOISE = {"clip_sample": False, "set_alpha_to_one": False}

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
            schedules=_NORMAL_ONLY,
            ends_clean=False,
            config=_FINAL_NOISE,
        ),
        # DPM-Solver++ of second order, multistep: Lu et al., arXiv 2211.01095
        Sampler("dpmpp_2m", "DPMSolverMultistepScheduler", "dpm", "preserving"),
        # Pseudo linear multistep: Liu et al., arXiv 2202.09778
        Sampler(
            "pndm",
            "PNDMScheduler",
            "plms",
            "preserving",
            schedules=_NORMAL_ONLY,
            zero_terminal_snr=False,
            ends_clean=False,
            config={"skip_prk_steps": True, "set_alpha_to_one": False},
        ),
        # Karras et al., arXiv 2206.00364, algorithm 2
        Sampler("heun", "HeunDiscreteScheduler", "continuous", "exploding", solver="heun"),
        # DPM-Solver-2: Lu et al., arXiv 2206.00927, as Karras et al. write it
        Sampler("dpm_2", "KDPM2DiscreteScheduler", "continuous", "exploding", solver="dpm_2", rounds_karras=True),
        # The same with fresh noise, after k-diffusion
        Sampler(
            "dpm_2_a",
            "KDPM2AncestralDiscreteScheduler",
            "continuous",
            "exploding",
            solver="dpm_2_ancestral",
            stochastic=True,
            rounds_karras=True,
        ),
        # Linear multistep of fourth order, after k-diffusion
        Sampler("lms", "LMSDiscreteScheduler", "continuous", "exploding", solver="lms"),
        # Ho et al., arXiv 2006.11239
        Sampler(
            "ddpm",
            "DDPMScheduler",
            "integer",
            "preserving",
            schedules=_NORMAL_ONLY,
            stochastic=True,
            config={"clip_sample": False},
        ),
        # DPM-Solver++ of second order, singlestep, with fresh noise, after k-diffusion
        Sampler("dpmpp_2s_a", "", "continuous", "exploding", solver="dpmpp_2s_ancestral", stochastic=True),
        # DPM-Solver++ for the stochastic equation: singlestep...
        Sampler(
            "dpmpp_sde",
            "DPMSolverSDEScheduler",
            "continuous",
            "exploding",
            solver="dpmpp_sde",
            stochastic=True,
            draws=2,
        ),
        # ... multistep of second order ...
        Sampler(
            "dpmpp_2m_sde",
            "DPMSolverMultistepScheduler",
            "dpm",
            "preserving",
            stochastic=True,
            config={"algorithm_type": "sde-dpmsolver++"},
        ),
        # ... and of third order, after k-diffusion
        Sampler("dpmpp_3m_sde", "", "continuous", "exploding", solver="dpmpp_3m_sde", stochastic=True),
        # Zhao et al., arXiv 2302.04867
        Sampler("unipc", "UniPCMultistepScheduler", "dpm", "preserving", rounds_karras=True),
        # Zhang and Chen, arXiv 2204.13902
        Sampler("deis", "DEISMultistepScheduler", "dpm", "preserving", ends_clean=False, zero_terminal_snr=False),
        # Latent consistency models: Luo et al., arXiv 2310.04378
        Sampler(
            "lcm",
            "LCMScheduler",
            "lcm",
            "preserving",
            schedules=_NORMAL_ONLY,
            stochastic=True,
            config={"clip_sample": False},
        ),
    )
}
"""All samplers by name."""


def find_sampler(name: str) -> Sampler:
    """The sampler of that name. Raises ValueError, listing the names, for any other."""
    if name not in SAMPLERS:
        raise ValueError(f'there is no sampler "{name}"; use one of {", ".join(SAMPLER_NAMES)}')
    return SAMPLERS[name]


_AUTOMATIC: tuple[ScheduleName, ...] = ("karras", "normal")
_XL_FAMILIES = ("sdxl", "sdxl_refiner")


def schedule_kind(asked: Literal["auto", ScheduleName], sampler: Sampler, *, family: str) -> ScheduleName:
    """The schedule that is meant: `auto` is karras where the sampler has it, else normal; those fitted to a family fit the denoiser's."""
    if asked == "auto":
        return next(kind for kind in _AUTOMATIC if kind in sampler.schedules)
    if asked == "align_your_steps" and family in _XL_FAMILIES:
        return "align_your_steps_xl"
    return asked
