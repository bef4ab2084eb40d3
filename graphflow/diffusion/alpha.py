"""Transparency: pictures of 4 channels hold straight alpha, and are worked on with colours premultiplied."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphflow.diffusion.batches import same_batch

_CLEAR = 1 / 1024
"""Alpha below which a pixel's colour cannot be told any more."""


def premultiplied(pixels: Tensor) -> Tensor:
    """`[batch, 4, height, width]` with each colour times its alpha."""
    return torch.cat([pixels[:, :3] * pixels[:, 3:], pixels[:, 3:]], dim=1)


def straight(pixels: Tensor) -> Tensor:
    """The reverse of `premultiplied`; where nothing is seen, the colour is black."""
    alpha = pixels[:, 3:]
    colours = torch.where(alpha > _CLEAR, pixels[:, :3] / alpha.clamp(min=_CLEAR), 0.0)
    return torch.cat([colours, alpha], dim=1)


def blending_pixels(pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` after a change that mixes neighbours, cut to 0 to 1.

    Colours of transparent pixels don't leak into their neighbours (Porter and Duff, Compositing Digital Images, 1984).
    """
    if pixels.shape[1] != 4:
        return change(pixels).clamp(0, 1)
    return straight(change(premultiplied(pixels)).clamp(0, 1)).clamp(0, 1)


def with_alpha(pixels: Tensor) -> Tensor:
    """The pictures with 4 channels; those without transparency become opaque."""
    return pixels if pixels.shape[1] == 4 else torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)


def with_opacity(pixels: Tensor, opacity: Tensor) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` with the alpha `[batch, height, width]`.

    Raises ValueError for another size, or batches that do not go together.
    """
    if opacity.shape[-2:] != pixels.shape[-2:]:
        sizes = (
            f"{opacity.shape[-1]}x{opacity.shape[-2]} does not fit a picture of {pixels.shape[-1]}x{pixels.shape[-2]}"
        )
        raise ValueError(f"a mask of {sizes}; resize the mask to that")
    colours, alpha = same_batch({"image": pixels[:, :3], "mask": opacity.unsqueeze(1)})
    return torch.cat([colours, alpha.to(colours)], dim=1)


def flattened(pixels: Tensor, background: tuple[float, ...]) -> Tensor:
    """The pictures laid on a colour (red, green, blue, 0 to 1): `[batch, 3, height, width]`, new where they were transparent."""
    if pixels.shape[1] != 4:
        return pixels
    colour = torch.tensor(background[:3], dtype=pixels.dtype, device=pixels.device).view(1, 3, 1, 1)
    return pixels[:, :3] * pixels[:, 3:] + colour * (1 - pixels[:, 3:])


def colour_values(colour: str) -> tuple[float, float, float, float]:
    """Red, green, blue and alpha, 0 to 1, of a colour as CSS writes it: `white`, `#ff8800`, `rgb(255, 136, 0)`.

    Raises ValueError for what is no colour.
    """
    from PIL import ImageColor

    if colour.strip().lower() == "transparent":
        return 0.0, 0.0, 0.0, 0.0
    try:
        red, green, blue, alpha = (*ImageColor.getrgb(colour.strip()), 255)[:4]
    except ValueError:
        raise ValueError(
            f'"{colour}" is no colour; use a name such as white, a code such as #ff8800, or transparent'
        ) from None
    return red / 255, green / 255, blue / 255, alpha / 255


def filled(colour: str, *, batch: int, height: int, width: int) -> Tensor:
    """Pictures of one colour: `[batch, 3, height, width]`; of 4 channels when the colour is transparent. Raises ValueError."""
    values = torch.tensor(colour_values(colour))
    if values[3] == 1:
        values = values[:3]
    return values.view(1, -1, 1, 1).repeat(batch, 1, height, width)
