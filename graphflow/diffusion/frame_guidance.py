"""Guidance whose strength differs from frame to frame, for video and for views around an object.

The scales `[frames]` are made once; `FrameGuider` doubles what a denoiser is given, and puts both halves of its answer together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from graphflow.diffusion.scalings import over

Fusing = Literal["max", "mean", "multiply"]

JOINED = ("vector", "crossattn", "concat")
"""Conditioning that differs between both halves of a batch."""


def linear_scales(frames: int, *, lowest: float = 1.0, highest: float) -> Tensor:
    """From lowest at the first frame to highest at the last (Blattmann et al., arXiv 2311.15127, section D.3)."""
    return torch.linspace(lowest, highest, frames)


def triangle_scales(
    frames: int,
    *,
    lowest: float = 1.0,
    highest: float,
    periods: Sequence[float] = (1.0,),
    fusing: Fusing = "max",
) -> Tensor:
    """Up and down again once per period, for orbits that end where they began (Voleti et al., arXiv 2403.12008, section 3.4).

    Periods are shares of the frames; several waves are fused into one. Raises ValueError for none.
    """
    if not periods:
        raise ValueError("triangle guidance needs one period at least; 1 is the whole video")
    waves = torch.stack([triangle_wave(torch.linspace(0, 1, frames), period) for period in periods])
    fused = {"max": waves.amax(dim=0), "mean": waves.mean(dim=0), "multiply": waves.prod(dim=0)}
    if fusing not in fused:
        raise ValueError(f'"{fusing}" fuses no waves; use one of {", ".join(fused)}')
    return lowest + (highest - lowest) * fused[fusing]


def triangle_wave(places: Tensor, period: float = 1.0) -> Tensor:
    """0 at whole periods, 1 halfway between them."""
    turns = places / period
    return 2 * (turns - (turns + 0.5).floor()).abs()


def trapezoid_scales(frames: int, *, lowest: float = 1.0, highest: float, edge: float = 0.1) -> Tensor:
    """Rising over a share of the frames at the start, falling over the same share at the end.

    Between both it is 1, not `highest`: models that were published with it expect that.
    """
    ramp = torch.linspace(lowest, highest, int(frames * edge))
    return torch.cat([ramp, torch.ones(frames - 2 * len(ramp)), ramp.flip(0)])


def orbit_scales(samples: int, *, views: int, lowest: float = 1.0, highest: float) -> Tensor:
    """Half by time, half by a triangle around the object; views change fastest (Xie et al., arXiv 2407.17470, section 4.3).

    Raises ValueError when the samples are no whole number of frames.
    """
    if views < 1 or samples % views:
        raise ValueError(f"{samples} samples are no whole number of frames with {views} views each")
    time = torch.linspace(0, 1, samples // views)
    around = triangle_wave(torch.linspace(0, 1, views))
    return lowest + (highest - lowest) * (0.5 * time[:, None] + 0.5 * around).flatten()


@dataclass(frozen=True, eq=False)
class FrameGuider:
    """Classifier-free guidance of a denoiser by noise levels, for rows of videos whose frames lie in the batch."""

    scales: Tensor
    """`[frames]`, or of no dimension: one scale for all."""
    joined: tuple[str, ...] = JOINED
    """Names of conditioning that is given for both halves; all else must serve both and goes through as it is."""

    def prepare(
        self, latents: Tensor, sigma: Tensor, conditional: Mapping[str, Tensor], unconditional: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Latents, levels and conditioning for one call of the denoiser: the unconditional half first.

        Raises ValueError for conditioning that only one of both has.
        """
        missing = sorted(set(_used(conditional, self.joined)) ^ set(_used(unconditional, self.joined)))
        if missing:
            raise ValueError(f"only one of both conditionings has {', '.join(missing)}; give it to both")
        both = {
            name: torch.cat([unconditional[name], value]) if name in self.joined else value
            for name, value in conditional.items()
        }
        return torch.cat([latents, latents]), torch.cat([sigma, sigma]), both

    def combine(self, clean: Tensor) -> Tensor:
        """The guided estimate of both halves, `[2 * videos * frames, ...]` -> `[videos * frames, ...]`. Raises ValueError for a part of a video."""
        uncond, cond = clean.chunk(2)
        if self.scales.ndim and len(cond) % len(self.scales):
            raise ValueError(
                f"{len(cond)} latents are no whole number of videos with {len(self.scales)} frames; "
                "make the guider for the frames that there are"
            )
        rows = self.scales.to(cond)
        if rows.ndim:
            rows = rows.repeat(len(cond) // len(rows))
        return uncond + over(rows, cond) * (cond - uncond)


def _used(conditioning: Iterable[str], joined: tuple[str, ...]) -> list[str]:
    return [name for name in conditioning if name in joined]
