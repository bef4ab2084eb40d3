"""Masks from what a picture shows: a channel, a brightness, a colour. All are `[batch, height, width]`, float32, 0 to 1."""

from __future__ import annotations

from math import sqrt
from typing import get_args

import torch
from torch import Tensor

from graphflow.diffusion.alpha import colour_values
from graphflow.diffusion.edit_choices import Channel


def channel_mask(pixels: Tensor, channel: Channel = "brightness") -> Tensor:
    """One channel of pictures `[batch, 3 or 4, height, width]` as a mask; a picture without transparency has an alpha of 1.

    Brightness is luma after ITU-R BT.601, as grey pictures are made. Raises ValueError for another channel.
    """
    if channel not in get_args(Channel):
        raise ValueError(f'a picture has no channel "{channel}"; use one of {", ".join(get_args(Channel))}')
    if channel == "alpha":
        return pixels[:, 3].clone() if pixels.shape[1] == 4 else torch.ones_like(pixels[:, 0])
    if channel == "brightness":
        import kornia

        grey: Tensor = kornia.color.rgb_to_grayscale(pixels[:, :3])
        return grey[:, 0]
    return pixels[:, ("red", "green", "blue").index(channel)].clone()


def range_mask(values: Tensor, *, low: float, high: float, softness: float = 0.0) -> Tensor:
    """1 where values `[batch, height, width]` lie from `low` to `high`, 0 elsewhere, falling in a straight line over `softness` beyond both.

    Raises ValueError when `low` is above `high`.
    """
    if low > high:
        raise ValueError(f"nothing is from {low:g} to {high:g}; let low be at most high")
    return _fall((low - values).clamp_min(values - high), softness)


def colour_mask(pixels: Tensor, colour: str, *, tolerance: float, softness: float = 0.0) -> Tensor:
    """1 where pictures `[batch, 3 or 4, height, width]` have a colour, 0 elsewhere, falling in a straight line over `softness` beyond.

    `tolerance` and `softness` are distances in RGB, where 1 is as far as black from white. Raises ValueError for what is no colour.
    """
    *channels, alpha = colour_values(colour)
    if alpha == 0:
        raise ValueError("what is transparent has no colour to look for; take the channel alpha instead")
    wanted = torch.tensor(channels, dtype=pixels.dtype, device=pixels.device).view(1, 3, 1, 1)
    distance = (pixels[:, :3] - wanted).square().sum(dim=1).sqrt() / sqrt(3)
    return _fall(distance - tolerance, softness)


def _fall(beyond: Tensor, softness: float) -> Tensor:
    """1 up to a border, 0 from `softness` beyond it on."""
    if softness <= 0:
        # A colour or brightness that is met exactly counts, whatever rounding makes of it.
        return (beyond <= 1e-6).to(torch.float32)
    return (1 - beyond / softness).clamp(0, 1).to(torch.float32)
