"""Masks of simple shapes. Places are shares of the picture, 0 to 1, so that they fit every size."""

from __future__ import annotations

import torch
from torch import Tensor

from graphflow.diffusion.masks import Area, area_mask


def rectangle_mask(area: Area, *, height: int, width: int) -> Tensor:
    """1 inside a rectangle, 0 outside, to whole pixels: `[1, height, width]`, float32. Raises ValueError as `area_mask` does."""
    return area_mask(area, height=height, width=width)[:, 0]


def ellipse_mask(area: Area, *, height: int, width: int) -> Tensor:
    """1 inside the largest ellipse of an area, 0 outside, soft across its edge pixels: `[1, height, width]`, float32.

    A pixel's value is its distance from the edge, to first order (Taubin, Estimation of planar curves, 1991). Raises ValueError as
    `area_mask` does.
    """
    left, top, right, bottom = area
    area_mask(area, height=1, width=1)
    across, down = (right - left) * width / 2, (bottom - top) * height / 2
    x = (torch.arange(width) + 0.5 - (left + right) * width / 2) / across
    y = ((torch.arange(height) + 0.5 - (top + bottom) * height / 2) / down).unsqueeze(1)
    beyond = x.square() + y.square() - 1
    slope = 2 * ((x / across).square() + (y / down).square()).sqrt()
    return (0.5 - beyond / slope.clamp_min(1e-6)).clamp(0, 1).unsqueeze(0)
