"""Masks of simple shapes. Places are shares of the picture, 0 to 1, so that they fit every size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from graphflow.diffusion.masks import Area, area_mask

_FINE = 8
"""Samples along one side of a pixel, for soft edges."""


def rectangle_mask(area: Area, *, height: int, width: int) -> Tensor:
    """1 inside a rectangle, 0 outside, to whole pixels: `[1, height, width]`, float32. Raises ValueError as `area_mask` does."""
    return area_mask(area, height=height, width=width)[:, 0]


def ellipse_mask(area: Area, *, height: int, width: int) -> Tensor:
    """1 inside the largest ellipse of an area, 0 outside, soft across its edge pixels: `[1, height, width]`, float32.

    Raises ValueError as `area_mask` does.
    """
    left, top, right, bottom = area
    area_mask(area, height=1, width=1)
    x = _samples(width, (left + right) / 2, (right - left) / 2)
    y = _samples(height, (top + bottom) / 2, (bottom - top) / 2)
    inside = (x.square()[None, :] + y.square()[:, None] <= 1).to(torch.float32)
    return avg_pool2d(inside[None], _FINE)


def _samples(size: int, centre: float, radius: float) -> Tensor:
    """Distances of the samples along one side from the centre, in radii."""
    places = (torch.arange(size * _FINE) + 0.5) / (size * _FINE)
    return (places - centre) / radius
