"""Patches that change how a denoiser computes: faster, at the price of other roundings or of small changes in the picture.

They are part of the recipe like any patch, so results that were made with them have keys of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from graphflow.ports.model import Denoiser, Patch

AttentionBackend = Literal["sdpa", "flash", "xformers", "sage"]
"""What computes attention: torch itself, or one of three libraries for NVIDIA GPUs."""

SpeedProfile = Literal["exact", "balanced", "fast"]
"""How much exactness to give for speed: none, roundings, or small changes in the picture."""


@dataclass(frozen=True)
class AttentionPatch(Patch):
    """Attention by a chosen backend; the last one on a recipe counts."""

    backend: AttentionBackend = "sdpa"


@dataclass(frozen=True)
class SpeedPatch(Patch):
    """A part of a speed profile."""


@dataclass(frozen=True)
class FusionPatch(SpeedPatch):
    """Queries, keys and values from one multiplication each, where an attention layer makes them from the same tokens."""


@dataclass(frozen=True)
class CompilePatch(SpeedPatch):
    """The blocks that a network repeats, compiled by torch where the device gains by it."""


@dataclass(frozen=True)
class BlockCachePatch(SpeedPatch):
    """Deep features of one step used again in the next ones (DeepCache: Ma et al., arXiv 2312.00858)."""

    interval: int = 3
    """Of so many steps, one computes the whole network; 1 computes it always."""
    depth: int = 1
    """Layers at the end of the network's outermost level that every step computes anew, 1 or more."""


def with_speed(denoiser: Denoiser, profile: SpeedProfile, *, interval: int = 3, depth: int = 1) -> Denoiser:
    """The denoiser with a profile, in place of the one that it has; `interval` and `depth` are those of the block cache."""
    kept = tuple(patch for patch in denoiser.patches if not isinstance(patch, SpeedPatch))
    return replace(denoiser, patches=(*kept, *_parts(profile, interval, depth)))


def _parts(profile: SpeedProfile, interval: int, depth: int) -> tuple[SpeedPatch, ...]:
    if profile == "exact":
        return ()
    rounding = (FusionPatch(), CompilePatch())
    return rounding if profile == "balanced" else (*rounding, BlockCachePatch(interval, depth))
