"""Networks that would need too much memory for a whole picture, at work on one tile at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphflow.diffusion.tiles import Tile, faded, tiles_of

Track = Callable[[Sequence[tuple[int, Tile]]], Iterable[tuple[int, Tile]]]
"""Hands the tiles on one by one, each with the number of its picture, so that somebody can count them, or stop."""


_SMALLEST = 8
"""Cells along a tile's side."""


@dataclass(frozen=True)
class Tiling:
    """How to take pictures apart for a network that has no memory for a whole one.

    The answer differs from that for the whole by a little: at its rim a tile does not know what lies beyond, and a network that looks at a whole
    picture sees a tile.
    """

    side: int
    """Of a tile, in pixels of the picture; rounded down to whole cells."""
    overlap: int = 64
    """How far neighbours reach into one another, in pixels; at most half a tile."""
    track: Track = iter

    def apply(self, compute: Callable[[Tensor], Tensor], values: Tensor, *, given: int = 1, made: int = 1) -> Tensor:
        """What `compute` makes of the values, as `in_tiles` says. Raises ValueError for tiles below 8 cells and for too much overlap."""
        cell = max(given, made)
        if self.side < _SMALLEST * cell:
            raise ValueError(f"a tile of {self.side} pixels is too small; use {_SMALLEST * cell} or more")
        if 2 * self.overlap > self.side:
            raise ValueError(
                f"an overlap of {self.overlap} is too much for tiles of {self.side} pixels; use at most {self.side // 2}"
            )
        side, overlap = self.side // cell, self.overlap // cell
        return in_tiles(compute, values, side=side, overlap=overlap, given=given, made=made, track=self.track)


def in_tiles(
    compute: Callable[[Tensor], Tensor],
    values: Tensor,
    *,
    side: int,
    overlap: int,
    given: int = 1,
    made: int = 1,
    track: Track = iter,
) -> Tensor:
    """What `compute` makes of `[batch, channels, height, width]`, picture by picture and tile by tile, float32 on the values' device.

    `side` (0: the whole picture) and `overlap` count cells; a cell is `given` pixels wide in the values and `made` pixels in the answer: 1 and 8
    for an autoencoder that decodes, 8 and 1 for one that encodes. Neighbours fade into one another. Raises ValueError for an overlap of
    more than half a tile.
    """
    batch, height, width = values.shape[0], values.shape[-2] // given, values.shape[-1] // given
    tiles = tiles_of(height, width, side=side, overlap=overlap)
    weight = torch.zeros(height * made, width * made)
    for tile in tiles:
        _window(weight, tile, made).add_(faded(tile, height=height, width=width, overlap=overlap, scale=made))
    answer = values.new_zeros(0)
    for number, tile in track([(number, tile) for number in range(batch) for tile in tiles]):
        computed = compute(_window(values[number : number + 1], tile, given))[0].to(values.device, torch.float32)
        if not answer.numel():
            answer = computed.new_zeros(batch, computed.shape[0], height * made, width * made)
        share = faded(tile, height=height, width=width, overlap=overlap, scale=made) / _window(weight, tile, made)
        _window(answer[number], tile, made).add_(computed * share.to(computed))
    return answer


def _window(tensor: Tensor, tile: Tile, scale: int) -> Tensor:
    return tensor[..., tile.top * scale : tile.bottom * scale, tile.left * scale : tile.right * scale]
