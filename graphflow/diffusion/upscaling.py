"""Larger pictures by a network, in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from graphflow.diffusion.resizing import resized
from graphflow.diffusion.tiles import Tile, faded, tiles_of

Track = Callable[[Sequence[tuple[int, Tile]]], Iterable[tuple[int, Tile]]]
"""Hands the tiles on one by one, so that somebody can count them, or stop."""


@torch.no_grad()
def upscaled(
    network: nn.Module,
    pixels: Tensor,
    *,
    scale: int,
    tile: int = 512,
    overlap: int = 32,
    track: Track = iter,
) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]`, 0 to 1, made `scale` times as wide and high by a network, on its device and in its type.

    Each picture goes through in tiles of `tile` pixels (0: in one piece). Alpha is resized instead (Lanczos). Raises ValueError for an overlap
    of more than half a tile.
    """
    batch, channels, height, width = pixels.shape
    parts = tiles_of(height, width, side=tile, overlap=overlap)
    made = torch.zeros(batch, 3, height * scale, width * scale)
    weight = torch.zeros(1, height * scale, width * scale)
    for part in parts:
        _window(weight, part, scale).add_(faded(part, height=height, width=width, overlap=overlap, scale=scale))
    place = next(network.parameters())
    for number, part in track([(number, part) for number in range(batch) for part in parts]):
        colours = pixels[number : number + 1, :3, part.top : part.bottom, part.left : part.right]
        drawn = network(colours.to(place.device, place.dtype))[0].float().cpu()
        share = faded(part, height=height, width=width, overlap=overlap, scale=scale)
        _window(made[number], part, scale).add_(drawn * share / _window(weight, part, scale))
    made = made.clamp(0, 1).to(pixels)
    if channels != 4:
        return made
    return torch.cat([made, resized(pixels[:, 3:], height=height * scale, width=width * scale)], dim=1)


def _window(tensor: Tensor, tile: Tile, scale: int) -> Tensor:
    return tensor[..., tile.top * scale : tile.bottom * scale, tile.left * scale : tile.right * scale]
