"""Pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Image(PortType):
    """One or more pictures of one size."""

    pixels: Tensor
    """`[batch, channels, height, width]`, float32, 0 to 1, sRGB; 3 channels, or 4 with straight alpha last."""

    color: ClassVar[str] = "#64b5f6"

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[-2])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[-1])
