"""Things that a user places in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphflow.ports.base import PortType
from graphflow.ports.mask import Mask


@dataclass(frozen=True, eq=False)
class Instance(PortType):
    """A caption and where it belongs, by any of box, point, scribble and mask. Coordinates are shares of the picture, 0 to 1."""

    caption: str
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom."""
    point: tuple[float, float] | None = None
    """Across, down."""
    scribble: tuple[tuple[float, float], ...] = ()
    """Points along the stroke, across and down."""
    mask: Mask | None = None

    color: ClassVar[str] = "#ba68c8"
