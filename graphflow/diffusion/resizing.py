"""Pictures in other sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image as Pil
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.alpha import blending_pixels, filled, with_alpha
from graphflow.diffusion.picture_sizes import MAX_SIDE, Anchor, Filter, Fit, Sides


def resized_to(
    pixels: Tensor,
    sides: Sides,
    *,
    fit: Fit = "crop",
    filter: Filter = "lanczos",
    antialias: bool = True,
    multiple_of: int = 1,
    anchor: Anchor = "center",
    fill: str = "black",
) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` in a new size, each side rounded to a multiple.

    Where the proportions change: `crop` fills the size and cuts what is left over, `pad` shows all and fills the rest with a colour,
    `inside` shows all and stays smaller, `stretch` distorts. `anchor` says which part stays, or where the picture goes.
    Raises ValueError for a size that is not given in one way, out of reach, or no colour.
    """
    old_height, old_width = pixels.shape[-2:]
    asked = sides.of(old_width, old_height)
    if fit == "inside":
        scale = min(asked[0] / old_width, asked[1] / old_height)
        asked = old_width * scale, old_height * scale
    width, height = (_rounded(side, multiple_of) for side in asked)
    if max(width, height) > MAX_SIDE:
        raise ValueError(f"{width}x{height} is too large; a side may have {MAX_SIDE} pixels")
    if fit in ("stretch", "inside"):
        return resized(pixels, height=height, width=width, filter=filter, antialias=antialias)
    scales = width / old_width, height / old_height
    scale = max(scales) if fit == "crop" else min(scales)
    inner = round(old_width * scale), round(old_height * scale)
    if fit == "crop":
        inner = max(inner[0], width), max(inner[1], height)
        made = resized(pixels, height=inner[1], width=inner[0], filter=filter, antialias=antialias)
        return cut(made, width=width, height=height, anchor=anchor)
    inner = max(min(inner[0], width), 1), max(min(inner[1], height), 1)
    made = resized(pixels, height=inner[1], width=inner[0], filter=filter, antialias=antialias)
    return placed(made, width=width, height=height, anchor=anchor, fill=fill)


def resized(pixels: Tensor, *, height: int, width: int, filter: Filter = "lanczos", antialias: bool = True) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` stretched to a size, cut to 0 to 1.

    `antialias` widens bilinear and bicubic filters when a picture gets smaller, so that no pixel is skipped; lanczos (3 lobes) and area always do,
    nearest never.
    """
    if pixels.shape[-2:] == (height, width):
        return pixels
    return blending_pixels(pixels, _scaling(filter, (height, width), antialias=antialias))


def _scaling(filter: Filter, size: tuple[int, int], *, antialias: bool) -> Callable[[Tensor], Tensor]:
    if filter == "lanczos":
        return lambda pixels: _lanczos(pixels, size)
    if filter == "nearest":
        return lambda pixels: interpolate(pixels, size, mode="nearest-exact")
    if filter == "area":
        return lambda pixels: interpolate(pixels, size, mode="area")
    return lambda pixels: interpolate(pixels, size, mode=filter, align_corners=False, antialias=antialias)


def _lanczos(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """By Pillow, channel by channel, which keeps floating point."""
    planes = pixels.detach().float().cpu().flatten(0, 1).numpy()
    made = [np.asarray(Pil.fromarray(plane).resize(size[::-1], Pil.Resampling.LANCZOS)) for plane in planes]
    return torch.from_numpy(np.stack(made)).view(*pixels.shape[:2], *size).to(pixels)


def cut(pixels: Tensor, *, width: int, height: int, anchor: Anchor = "center") -> Tensor:
    """The part of the pictures that lies at the anchor, at most as large as they are."""
    old_height, old_width = pixels.shape[-2:]
    left, top = anchored(old_width - width, old_height - height, anchor)
    return pixels[..., top : top + height, left : left + width].contiguous()


def placed(pixels: Tensor, *, width: int, height: int, anchor: Anchor = "center", fill: str = "black") -> Tensor:
    """The pictures at the anchor of a larger ground of one colour. Raises ValueError for what is no colour."""
    ground = filled(fill, batch=pixels.shape[0], height=height, width=width).to(pixels)
    if ground.shape[1] != pixels.shape[1]:
        ground, pixels = with_alpha(ground), with_alpha(pixels)
    left, top = anchored(width - pixels.shape[-1], height - pixels.shape[-2], anchor)
    ground[..., top : top + pixels.shape[-2], left : left + pixels.shape[-1]] = pixels
    return ground


def anchored(free_width: int, free_height: int, anchor: Anchor) -> tuple[int, int]:
    """Where something begins, from the left and from the top, that leaves so many pixels free."""
    words = anchor.split()
    left = 0 if "left" in words else free_width if "right" in words else free_width // 2
    top = 0 if "top" in words else free_height if "bottom" in words else free_height // 2
    return left, top


def _rounded(side: float, multiple: int) -> int:
    """The nearest multiple, at least one of them; halves go up."""
    return max(int(side / multiple + 0.5), 1) * multiple
