"""What size a picture should have, and the words for getting there. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Filter = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
Fit = Literal["crop", "pad", "inside", "stretch"]
Anchor = Literal["center", "top", "bottom", "left", "right", "top left", "top right", "bottom left", "bottom right"]

MAX_SIDE = 32_768
"""Pixels that a side may have."""


@dataclass(frozen=True)
class Sides:
    """A size that is asked for, in one of these ways; None means that it is not asked for so."""

    width: int | None = None
    height: int | None = None
    """Pixels; where one of the two is None, it follows the proportions."""
    longest: int | None = None
    shortest: int | None = None
    factor: float | None = None

    def of(self, width: int, height: int) -> tuple[float, float]:
        """Width and height for a picture of this size, not rounded. Raises ValueError unless exactly one way is given."""
        ways = [
            self.width is not None or self.height is not None,
            self.longest is not None,
            self.shortest is not None,
            self.factor is not None,
        ]
        if sum(ways) != 1:
            given = "in several ways" if any(ways) else "not at all"
            raise ValueError(
                f"the new size is given {given}; give width and height (or one of them), the longest side, the shortest side, or a factor"
            )
        if self.width is not None and self.height is not None:
            return self.width, self.height
        scale = self._scale(width, height)
        return width * scale, height * scale

    def _scale(self, width: int, height: int) -> float:
        if self.width is not None:
            return self.width / width
        if self.height is not None:
            return self.height / height
        if self.longest is not None:
            return self.longest / max(width, height)
        if self.shortest is not None:
            return self.shortest / min(width, height)
        return self.factor or 1.0
