"""Patches that change how a denoiser computes: faster, at the price of other roundings or of small changes in the picture.

They are part of the recipe like any patch, so results that were made with them have keys of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphflow.ports.model import Patch

AttentionBackend = Literal["sdpa", "flash", "xformers", "sage"]
"""What computes attention: torch itself, or one of three libraries for NVIDIA GPUs."""

SpeedProfile = Literal["exact", "balanced", "fast"]
"""How much exactness to give for speed: none, roundings, or small changes in the picture."""


@dataclass(frozen=True)
class AttentionPatch(Patch):
    """Attention by a chosen backend; the last one on a recipe counts."""

    backend: AttentionBackend = "sdpa"


@dataclass(frozen=True)
class FusionPatch(Patch):
    """Queries, keys and values from one multiplication each, where an attention layer makes them from the same tokens."""


@dataclass(frozen=True)
class CompilePatch(Patch):
    """The blocks that a network repeats, compiled by torch where the device gains by it."""


@dataclass(frozen=True)
class BlockCachePatch(Patch):
    """Deep features of one step used again in the next ones (DeepCache: Ma et al., arXiv 2312.00858)."""

    interval: int = 3
    """Of so many steps, one computes the whole network; 1 computes it always."""
    depth: int = 1
    """Layers at the end of the network's outermost level that every step computes anew, 1 or more."""


def speed_patches(profile: SpeedProfile, *, interval: int = 3, depth: int = 1) -> tuple[Patch, ...]:
    """What a profile consists of; `interval` and `depth` are those of the block cache."""
    if profile == "exact":
        return ()
    rounding: tuple[Patch, ...] = (FusionPatch(), CompilePatch())
    return rounding if profile == "balanced" else (*rounding, BlockCachePatch(interval, depth))
