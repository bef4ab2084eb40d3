"""How far two pictures differ."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import kornia
from torch import Tensor

from graphflow.diffusion.batches import same_batch

EQUAL_PSNR = 100.0
"""What counts as the ratio of equal pictures, in decibels, which is infinite."""
_WINDOW = 11
"""Side of the window that structural similarity looks through."""


@dataclass(frozen=True)
class Difference:
    """Pictures compared; alpha counts as a channel where both have it."""

    absolute: Tensor
    """`[batch, 3, height, width]`, 0 to 1: distance of each pixel and colour."""
    largest: float
    """0 to 1, of a single value."""
    mean: float
    """0 to 1."""
    psnr: float
    """Peak signal to noise ratio in decibels; above 40 the eye sees no difference, 100 stands for equal."""
    ssim: float
    """Structural similarity, 1 for equal (Wang et al., Image Quality Assessment, 2004)."""


def difference(one: Tensor, other: Tensor) -> Difference:
    """Compare pictures `[batch, 3 or 4, height, width]`, 0 to 1. Raises ValueError for different sizes or batches."""
    if one.shape[-2:] != other.shape[-2:]:
        sizes = [f"{pixels.shape[-1]}x{pixels.shape[-2]}" for pixels in (one, other)]
        raise ValueError(f"pictures of {sizes[0]} and {sizes[1]} cannot be compared; resize one of them first")
    channels = min(one.shape[1], other.shape[1])
    one, other = same_batch({"first": one[:, :channels].float(), "second": other[:, :channels].float()})
    absolute = (one - other).abs()
    error = float(absolute.square().mean())
    return Difference(
        absolute=absolute[:, :3],
        largest=float(absolute.max()),
        mean=float(absolute.mean()),
        psnr=min(-10 * log10(error), EQUAL_PSNR) if error > 0 else EQUAL_PSNR,
        ssim=float(kornia.metrics.ssim(one, other, _WINDOW).mean()),
    )
