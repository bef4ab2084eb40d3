"""Samplers as functions of a denoiser and falling noise levels: one function per method, all of one form.

    solver(denoise, latents, sigmas, draw=..., after=...) -> latents

`sigmas` `[steps + 1]` end with 0 or with the level to stop at. Latents `[batch, ...]` are in exploding scale, clean + sigma * noise, at
the first level when they come in and at the last one when they go out. Method names follow k-diffusion.
"""

from graphflow.diffusion.solvers.ancestral import dpm_2_ancestral, dpmpp_2s_ancestral, euler_ancestral
from graphflow.diffusion.solvers.ode import dpm_2, dpmpp_2m, euler, heun, lms
from graphflow.diffusion.solvers.sde import dpmpp_2m_sde, dpmpp_3m_sde, dpmpp_sde
from graphflow.diffusion.solvers.step import After, Churn, Draw

__all__ = [
    "After",
    "Churn",
    "Draw",
    "dpm_2",
    "dpm_2_ancestral",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_2s_ancestral",
    "dpmpp_3m_sde",
    "dpmpp_sde",
    "euler",
    "euler_ancestral",
    "heun",
    "lms",
]
