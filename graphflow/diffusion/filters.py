"""Blur and sharpen: filters that mix each pixel with its neighbours."""

from __future__ import annotations

from math import ceil

import kornia
from torch import Tensor

from graphflow.diffusion.alpha import blending_pixels

_REACH = 3
"""Standard deviations of a bell curve beyond which nothing is left to see."""


def gaussian_blur(pixels: Tensor, radius: float) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` blurred by a bell curve; `radius` is its standard deviation in pixels. 0 changes nothing."""
    if radius <= 0:
        return pixels
    size = 2 * ceil(_REACH * radius) + 1
    return blending_pixels(
        pixels,
        lambda planes: kornia.filters.gaussian_blur2d(planes, (size, size), (radius, radius), border_type="replicate"),
    )


def box_mean(pixels: Tensor, radius: int) -> Tensor:
    """Each pixel becomes the mean of the square around it, `radius` pixels to each side. 0 changes nothing."""
    if radius <= 0:
        return pixels
    size = 2 * radius + 1
    return blending_pixels(
        pixels, lambda planes: kornia.filters.box_blur(planes, (size, size), border_type="replicate")
    )


def sharpened(pixels: Tensor, *, radius: float, amount: float, threshold: float = 0.0) -> Tensor:
    """Unsharp mask: what a blur takes away is added again, `amount` times, where it is more than `threshold` (0 to 1).

    Transparency stays as it is.
    """
    detail = pixels[:, :3] - gaussian_blur(pixels, radius)[:, :3]
    if threshold > 0:
        detail = detail * (detail.abs().amax(dim=1, keepdim=True) > threshold)
    made = pixels.clone()
    made[:, :3] = (pixels[:, :3] + amount * detail).clamp(0, 1)
    return made
