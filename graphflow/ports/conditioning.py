"""What steers a denoiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType
from graphflow.ports.control import Control
from graphflow.ports.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class ConditioningEntry:
    """One encoded prompt and where, when and how strongly it applies."""

    tokens: Tensor
    """`[batch, tokens, width]`, float32: the text encoder's hidden states."""
    pooled: Tensor | None = None
    """`[batch, width]`, float32: the pooled text, for families that use it."""
    extra: dict[str, Tensor] = field(default_factory=dict)
    """More tensors that a family's denoiser takes by name (sizes, grounding tokens...)."""
    strength: float = 1.0
    """Weight among entries that overlap, 0 or more."""
    start: float = 0.0
    """Share of the noise schedule, 0 to 1, at which the entry begins to apply."""
    end: float = 1.0
    """Share of the noise schedule, 0 to 1, at which it stops."""
    area: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom as shares of the picture, 0 to 1; None means everywhere."""
    mask: Mask | None = None
    """Where the entry applies; None means everywhere."""
    controls: tuple[Control, ...] = ()
    """ControlNets that steer the denoiser while it follows this entry."""


@dataclass(frozen=True, eq=False)
class Conditioning(PortType):
    """Encoded prompts; most have one entry."""

    entries: tuple[ConditioningEntry, ...]

    color: ClassVar[str] = "#ffb74d"
