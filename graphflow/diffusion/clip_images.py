"""Pictures as CLIP image encoders take them (Radford et al., arXiv 2103.00020), resized as video models were trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CLIP_SIDE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_WIDEST_WITHOUT_BLUR = 0.001


def clip_pixels(pictures: Tensor, side: int = CLIP_SIDE) -> Tensor:
    """Pictures `[batch, 3, height, width]` from -1 to 1 as CLIP's input `[batch, 3, side, side]`."""
    small = (resize_smoothly(pictures, side, side) + 1) / 2
    mean, std = (torch.tensor(each).to(small).reshape(1, 3, 1, 1) for each in (CLIP_MEAN, CLIP_STD))
    return (small - mean) / std


def resize_smoothly(pictures: Tensor, height: int, width: int) -> Tensor:
    """Bicubic with corners aligned, after a Gaussian blur along each side that shrinks, so that fine patterns don't alias."""
    blurred = _blur(_blur(pictures, axis=3, side=width), axis=2, side=height)
    return functional.interpolate(blurred, size=(height, width), mode="bicubic", align_corners=True)


def _blur(pictures: Tensor, *, axis: int, side: int) -> Tensor:
    """Blur along an axis for the resize to `side`: two standard deviations to each side, edges mirrored."""
    deviation = max((pictures.shape[axis] / side - 1) / 2, _WIDEST_WITHOUT_BLUR)
    taps = max(int(4 * deviation), 3) // 2 * 2 + 1
    reach = taps // 2
    kernel = _gaussian(reach, deviation).to(pictures)
    # Convolve along the last axis, each row as a sample of its own.
    rows = pictures.movedim(axis, -1)
    padded = functional.pad(rows.reshape(-1, 1, rows.shape[-1]), (reach, reach), mode="reflect")
    return functional.conv1d(padded, kernel[None, None]).reshape(rows.shape).movedim(-1, axis)


def _gaussian(reach: int, deviation: float) -> Tensor:
    """`[2 * reach + 1]` weights of a bell curve, summing to one."""
    weights = torch.tensor([math.exp(-((place / deviation) ** 2) / 2) for place in range(-reach, reach + 1)])
    return weights / weights.sum()
