"""Moving and softening the edge of a mask. Masks are `[batch, height, width]`, float32; values between 0 and 1 are kept as such."""

from __future__ import annotations

from math import isqrt
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from graphflow.diffusion.edit_choices import FeatherSide


def grow_mask(mask: Tensor, pixels: int) -> Tensor:
    """The mask widened by a number of pixels to all sides, 0 or more, as with a round pen.

    Grey-scale dilation with a disc: each pixel takes the largest value within reach.
    """
    if pixels < 1:
        return mask.clone()
    height, width = mask.shape[-2:]
    runs = _run_maxima(pad(mask, (pixels, pixels, pixels, pixels)), longest=2 * pixels + 1)
    grown = mask
    for down in range(pixels + 1):
        half = isqrt(pixels * (pixels + 1) - down * down)
        line = _maximum(runs, first=pixels - half, length=2 * half + 1, width=width)
        grown = torch.maximum(grown, line[:, pixels + down : pixels + down + height])
        grown = torch.maximum(grown, line[:, pixels - down : pixels - down + height])
    return grown


def shrink_mask(mask: Tensor, pixels: int) -> Tensor:
    """The mask narrowed by a number of pixels, 0 or more; where it touches the picture's border it is not eaten from there."""
    return 1 - grow_mask(1 - mask, pixels)


def blur_mask(mask: Tensor, pixels: int) -> Tensor:
    """The mask with edges that fade over a number of pixels to each side, 0 or more: a Gaussian of a third of that, cut off there.

    Beyond the picture's border the mask goes on as it is there.
    """
    if pixels < 1:
        return mask.clone()
    import kornia

    height, width = mask.shape[-2:]
    framed = pad(mask.unsqueeze(1), (pixels, pixels, pixels, pixels), mode="replicate")
    side = 2 * pixels + 1
    blurred: Tensor = kornia.filters.gaussian_blur2d(framed, (side, side), (pixels / 3, pixels / 3))
    return blurred[:, 0, pixels : pixels + height, pixels : pixels + width].clamp(0, 1)


def feather_mask(mask: Tensor, pixels: int, *, side: FeatherSide = "outside") -> Tensor:
    """The mask with a soft edge of a number of pixels, 0 or more: laid around the mask, half to each side of its edge, or within it.

    `outside` keeps the mask full, `inside` keeps what is around it empty. Raises ValueError for another side.
    """
    fade = pixels // 2
    match side:
        case "outside":
            return blur_mask(grow_mask(mask, pixels - fade), fade)
        case "inside":
            return blur_mask(shrink_mask(mask, pixels - fade), fade)
        case "both":
            return blur_mask(mask, pixels - fade)
    raise ValueError(f'there is no side "{side}"; use one of {", ".join(get_args(FeatherSide))}')


def _run_maxima(mask: Tensor, *, longest: int) -> list[Tensor]:
    """Largest values of runs along each line that are 1, 2, 4... long and begin at each pixel, as far as `longest` needs them."""
    tables = [mask]
    while 2 ** len(tables) <= longest:
        last, step = tables[-1], 2 ** (len(tables) - 1)
        tables.append(torch.maximum(last[..., :-step], last[..., step:]))
    return tables


def _maximum(runs: list[Tensor], *, first: int, length: int, width: int) -> Tensor:
    """Largest values of the runs of any length that begin at `width` pixels from `first` on: two runs that overlap."""
    level = length.bit_length() - 1
    begin, end = runs[level], first + length - 2**level
    return torch.maximum(begin[..., first : first + width], begin[..., end : end + width])
