"""Larger pictures by a network, in tiles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphflow.diffusion.resizing import resized
from graphflow.diffusion.tiled import Track, in_tiles


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
    _, channels, height, width = pixels.shape
    place = next(network.parameters())

    def drawn(colours: Tensor) -> Tensor:
        made: Tensor = network(colours.to(place.device, place.dtype))
        return made

    made = in_tiles(drawn, pixels[:, :3], side=tile, overlap=overlap, made=scale, track=track)
    made = made.clamp(0, 1).to(pixels)
    if channels != 4:
        return made
    return torch.cat([made, resized(pixels[:, 3:], height=height * scale, width=width * scale)], dim=1)
