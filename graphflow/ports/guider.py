"""How a denoiser follows its prompts, as recipes: they become networks and arithmetic where they sample (`diffusion.opened_guider`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphflow.ports.base import PortType
from graphflow.ports.conditioning import Conditioning
from graphflow.ports.model import Denoiser


@dataclass(frozen=True, eq=False)
class Guider(PortType):
    """A denoiser and its prompts; each method of guidance is a subclass, whose fields name its prompts by their roles."""

    denoiser: Denoiser

    color: ClassVar[str] = "#9575cd"


@dataclass(frozen=True, eq=False)
class CfgGuidance(Guider):
    """Classifier-free guidance (Ho and Salimans, arXiv 2207.12598), with the contrast taken back if wanted."""

    positive: Conditioning
    negative: Conditioning | None = None
    scale: float = 5.0
    """1 follows the positive prompt alone."""
    rescale: float = 0.0
    """Share, 0 to 1, of the positive prediction's contrast to return to (Lin et al., arXiv 2305.08891)."""


@dataclass(frozen=True, eq=False)
class PerpendicularGuidance(Guider):
    """Guidance away from what a negative prompt does not share with the positive one (Armandpour et al., arXiv 2304.04968)."""

    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    """The encoded empty text."""
    scale: float = 5.0
    negative_scale: float = 1.0


@dataclass(frozen=True, eq=False)
class DualGuidance(Guider):
    """Guidance in two steps of different strength: to a middle prompt, and from there to the whole one (Brooks et al., arXiv 2211.09800)."""

    positive: Conditioning
    middle: Conditioning
    negative: Conditioning
    scale: float = 5.0
    middle_scale: float = 5.0


@dataclass(frozen=True, eq=False)
class WeakenedGuidance(Guider):
    """Classifier-free guidance, and guidance away from the same network with some layers weakened; subclasses say how."""

    positive: Conditioning
    negative: Conditioning | None = None
    scale: float = 5.0
    weakened_scale: float = 3.0
    layers: tuple[str, ...] = ("mid_block",)
    """Beginnings of the names of the modules that are weakened."""


@dataclass(frozen=True, eq=False)
class PerturbedAttentionGuidance(WeakenedGuidance):
    """Weakened: self-attention in which every pixel sees itself alone (Ahn et al., arXiv 2403.17377)."""


@dataclass(frozen=True, eq=False)
class SkipLayerGuidance(WeakenedGuidance):
    """Weakened: transformer blocks that let everything pass unchanged (Hyung et al., arXiv 2411.18664)."""


@dataclass(frozen=True, eq=False)
class RangedGuidance(Guider):
    """One way to guide in a part of the schedule, another one outside of it (Kynkäänniemi et al., arXiv 2404.07724)."""

    inside: Guider
    outside: Guider
    """Of the same denoiser."""
    start: float = 0.0
    """Share of the schedule, 0 at all noise to 1 at none, from which `inside` guides..."""
    end: float = 1.0
    """... up to, not including, this one; 1 is the very end."""
