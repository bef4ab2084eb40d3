"""Turned and mirrored pictures."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import kornia
import torch
from torch import Tensor

from graphflow.diffusion.alpha import colour_values, premultiplied, straight, with_alpha
from graphflow.diffusion.edit_choices import MirrorAxis

_TINY = 1e-6


def mirrored(pixels: Tensor, axis: MirrorAxis) -> Tensor:
    """`[..., height, width]` with left and right (horizontal) or top and bottom (vertical) swapped."""
    return pixels.flip(-1 if axis == "horizontal" else -2)


def rotated(pixels: Tensor, degrees: float, *, expand: bool = True, fill: str = "black") -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` turned clockwise around their middle.

    Quarter turns are exact; other angles look between the pixels. `expand` makes the picture as large as what is turned needs; without it,
    corners are cut off and the size stays. What comes to light in the corners is filled. Raises ValueError for what is no colour.
    """
    turns = degrees / 90
    if turns.is_integer() and (expand or turns % 2 == 0):
        return pixels.rot90(-int(turns) % 4, (-2, -1)).contiguous()
    height, width = pixels.shape[-2:]
    across, down = _size(width, height, degrees) if expand else (width, height)
    turned = straight(_turned(premultiplied(with_alpha(pixels)), degrees, across=across, down=down))
    return _over_fill(turned, fill, keep_alpha=pixels.shape[1] == 4)


def _turned(pixels: Tensor, degrees: float, *, across: int, down: int) -> Tensor:
    """Premultiplied pictures turned into a frame of this size; nothing is seen outside them."""
    height, width = pixels.shape[-2:]
    middle = torch.tensor([[(width - 1) / 2, (height - 1) / 2]], dtype=torch.float64)
    matrix = kornia.geometry.get_rotation_matrix2d(
        middle, torch.tensor([-degrees], dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    )
    matrix[:, 0, 2] += (across - width) / 2
    matrix[:, 1, 2] += (down - height) / 2
    matrices = matrix.to(pixels).expand(len(pixels), -1, -1)
    return kornia.geometry.warp_affine(pixels, matrices, (down, across), mode="bilinear", padding_mode="zeros").clamp(
        0, 1
    )


def _size(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Width and height of the smallest upright frame around the turned picture."""
    along, beside = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    return ceil(width * along + height * beside - _TINY), ceil(width * beside + height * along - _TINY)


def _over_fill(turned: Tensor, fill: str, *, keep_alpha: bool) -> Tensor:
    """The turned pictures over the fill colour; three channels where nothing can be transparent."""
    *colour, opacity = colour_values(fill)
    ground = torch.tensor(colour, dtype=turned.dtype, device=turned.device).view(1, 3, 1, 1)
    cover = turned[:, 3:]
    alpha = cover + opacity * (1 - cover)
    seen = turned[:, :3] * cover + ground * opacity * (1 - cover)
    colours = (seen / alpha.clamp(min=_TINY)).clamp(0, 1)
    return torch.cat([colours, alpha], dim=1) if keep_alpha or opacity < 1 else colours
