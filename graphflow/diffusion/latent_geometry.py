"""Latents in other sizes and directions; their noise masks, of whatever size, go along.

What is measured in pixels is measured in those of the picture: sides and places must be multiples of the latent's reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.edit_choices import LatentFilter, MirrorAxis, QuarterTurns
from graphflow.diffusion.picture_sizes import Sides
from graphflow.diffusion.sizes import latent_size, nearest_multiple
from graphflow.ports.latent import Latent
from graphflow.ports.mask import Mask


def picture_size(latent: Latent) -> tuple[int, int]:
    """Width and height of the picture that a latent stands for, in pixels."""
    rows, columns = latent.samples.shape[-2:]
    return columns * latent.reduction, rows * latent.reduction


def resize_latent(latent: Latent, sides: Sides, *, filter: LatentFilter = "bicubic", antialias: bool = True) -> Latent:
    """The latent stretched to a picture size in pixels; a size that follows from proportions or a factor is rounded to what fits.

    `antialias` widens bilinear and bicubic filters when a latent gets smaller. The noise mask keeps its own size, which fits as well.
    Raises ValueError, naming the nearest size, for a width and height that don't fit, and for a size that is not given in one way.
    """
    if filter not in get_args(LatentFilter):
        raise ValueError(f'there is no filter "{filter}" for latents; use one of {", ".join(get_args(LatentFilter))}')
    width, height = sides.of(*picture_size(latent))
    if sides.width is not None and sides.height is not None:
        columns, rows = latent_size(sides.width, sides.height, reduction=latent.reduction)
    else:
        columns, rows = (nearest_multiple(round(s), latent.reduction) // latent.reduction for s in (width, height))
    if filter in ("area", "nearest"):
        samples = interpolate(latent.samples, (rows, columns), mode="nearest-exact" if filter == "nearest" else filter)
    else:
        samples = interpolate(latent.samples, (rows, columns), mode=filter, align_corners=False, antialias=antialias)
    return replace(latent, samples=samples)


def crop_latent(latent: Latent, *, left: int, top: int, width: int, height: int) -> Latent:
    """The part of a latent that begins at (`left`, `top`) and is `width` x `height` large, all in pixels of the picture.

    Raises ValueError, naming the nearest fitting numbers, for what is not a multiple of the reduction or not within the picture.
    """
    step = latent.reduction
    given = {"left": left, "top": top, "width": width, "height": height}
    if any(value % step for value in given.values()):
        near = ", ".join(f"{name} {(value + step // 2) // step * step}" for name, value in given.items())
        raise ValueError(f"left, top, width and height must be multiples of {step}; the nearest are {near}")
    whole = picture_size(latent)
    if min(left, top) < 0 or min(width, height) < step or left + width > whole[0] or top + height > whole[1]:
        raise ValueError(
            f"{width}x{height} at {left}, {top} is not within a picture of {whole[0]}x{whole[1]}; "
            "use a smaller part, or one further to the left or top"
        )

    def part(tensor: Tensor) -> Tensor:
        rows = _span(top, height, whole[1], tensor.shape[-2])
        columns = _span(left, width, whole[0], tensor.shape[-1])
        return tensor[..., rows, columns].contiguous()

    return _moved(latent, part)


def flip_latent(latent: Latent, axis: MirrorAxis) -> Latent:
    """The latent mirrored: `horizontal` swaps left and right, `vertical` top and bottom."""
    return _moved(latent, lambda tensor: tensor.flip(-1 if axis == "horizontal" else -2))


def rotate_latent(latent: Latent, degrees: QuarterTurns) -> Latent:
    """The latent turned clockwise by 90, 180 or 270 degrees."""
    return _moved(latent, lambda tensor: torch.rot90(tensor, -int(degrees) // 90, dims=(-2, -1)).contiguous())


def _moved(latent: Latent, move: Callable[[Tensor], Tensor]) -> Latent:
    """The latent after a change of place of its pixels and of its mask's."""
    mask = latent.noise_mask
    return replace(latent, samples=move(latent.samples), noise_mask=None if mask is None else Mask(move(mask.values)))


def _span(first: int, length: int, whole: int, size: int) -> slice:
    """Pixels `first` to `first + length` of `whole`, on a grid of another size; at least one of it."""
    begin = round(Fraction(first * size, whole))
    return slice(min(begin, size - 1), max(round(Fraction((first + length) * size, whole)), begin + 1))
