"""Moving pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Video(PortType):
    """Frames of one size at a constant rate."""

    frames: Tensor
    """`[frames, 3, height, width]`, uint8 or float32 0 to 1, sRGB."""
    fps: float
    """Frames per second, above 0."""

    color: ClassVar[str] = "#7986cb"
