"""Room around a picture, filled for a sampler to draw on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from graphflow.diffusion.alpha import filled, with_alpha
from graphflow.diffusion.mask_edges import feather_mask
from graphflow.diffusion.picture_sizes import MAX_SIDE


@dataclass(frozen=True)
class Border:
    """Pixels to add at each side, 0 or more."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


def pad_picture(pixels: Tensor, border: Border, fill: str = "edge", *, generator: Generator | None = None) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]`, 0 to 1, with a border around them.

    `edge` continues the outermost pixels, `mirror` the picture itself, mirrored again and again; `mean` is the mean colour of the outermost
    pixels, `noise` an even draw of all colours from a CPU generator; all else is a colour as CSS writes it. Raises ValueError for what is
    none of these, for noise without a generator, and for a size out of reach.
    """
    height, width = pixels.shape[-2] + border.top + border.bottom, pixels.shape[-1] + border.left + border.right
    if max(height, width) > MAX_SIDE:
        raise ValueError(f"{width}x{height} is too large; a side may have {MAX_SIDE} pixels")
    if fill == "edge":
        return pad(pixels, (border.left, border.right, border.top, border.bottom), mode="replicate")
    if fill == "mirror":
        columns = _mirrored(pixels.shape[-1], before=border.left, length=width)
        return pixels[..., _mirrored(pixels.shape[-2], before=border.top, length=height), :][..., columns]
    return _framed(pixels, _ground(pixels, fill, height=height, width=width, generator=generator), border)


def border_mask(border: Border, *, height: int, width: int, feather: int = 0) -> Tensor:
    """1 on the border around a picture of a size, 0 on the picture: `[1, height, width]`, float32, of the size with the border.

    It fades over `feather` pixels of the picture.
    """
    inner = torch.zeros(1, height, width)
    mask = pad(inner, (border.left, border.right, border.top, border.bottom), value=1.0)
    return feather_mask(mask, feather)


def _ground(pixels: Tensor, fill: str, *, height: int, width: int, generator: Generator | None) -> Tensor:
    batch = pixels.shape[0]
    if fill == "mean":
        rim = torch.cat([pixels[..., [0, -1], :].flatten(2), pixels[..., [0, -1]].flatten(2)], dim=-1)
        return rim.mean(dim=-1)[..., None, None].repeat(1, 1, height, width)
    if fill == "noise":
        if generator is None:
            raise ValueError("noise is drawn from a generator; give one, such as torch.Generator()")
        return torch.rand(batch, 3, height, width, generator=generator).to(pixels)
    return filled(fill, batch=batch, height=height, width=width).to(pixels)


def _framed(pixels: Tensor, ground: Tensor, border: Border) -> Tensor:
    if ground.shape[1] != pixels.shape[1]:
        ground, pixels = with_alpha(ground), with_alpha(pixels)
    rows = slice(border.top, border.top + pixels.shape[-2])
    columns = slice(border.left, border.left + pixels.shape[-1])
    ground[..., rows, columns] = pixels
    return ground


def _mirrored(size: int, *, before: int, length: int) -> Tensor:
    """Which pixel of a line comes where when it is mirrored at both ends, the outermost pixels not repeated."""
    places = (torch.arange(length) - before) % max(2 * (size - 1), 1)
    return torch.where(places < size, places, 2 * (size - 1) - places)
