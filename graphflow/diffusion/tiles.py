"""Pictures worked on in overlapping tiles, which fade into one another."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """One part of a picture, in pixels; `bottom` and `right` are the first row and column beyond it."""

    top: int
    left: int
    bottom: int
    right: int


def tiles_of(height: int, width: int, *, side: int, overlap: int) -> list[Tile]:
    """Tiles of at most `side` pixels a side that cover a picture, row by row, each `overlap` or more into its neighbours.

    A `side` of 0 gives one tile. Raises ValueError for an overlap of more than half a tile.
    """
    if side == 0:
        return [Tile(0, 0, height, width)]
    if not 0 <= 2 * overlap <= side:
        raise ValueError(f"an overlap of {overlap} is too much for tiles of {side} pixels; use at most {side // 2}")
    return [
        Tile(top, left, bottom, right)
        for top, bottom in _spans(height, side, overlap)
        for left, right in _spans(width, side, overlap)
    ]


def faded(tile: Tile, *, height: int, width: int, overlap: int, scale: int = 1) -> Tensor:
    """How much each pixel of a tile counts: `[height, width]` of the tile times `scale`, above 0 to 1.

    It falls off towards its neighbours, and is next to nothing in the outer quarter of the overlap, where the network saw too little around.
    """
    down = _weights(tile.top, tile.bottom, height, overlap, scale)
    across = _weights(tile.left, tile.right, width, overlap, scale)
    return down.unsqueeze(1) * across


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Beginnings and ends along one axis, evenly spread."""
    if length <= side:
        return [(0, length)]
    count = ceil((length - overlap) / (side - overlap))
    starts = [round(number * (length - side) / (count - 1)) for number in range(count)]
    return [(start, start + side) for start in starts]


_LEAST = 1e-4


def _weights(begin: int, end: int, length: int, overlap: int, scale: int) -> Tensor:
    weights = torch.ones((end - begin) * scale)
    reach = overlap * scale
    if reach == 0:
        return weights
    place = (torch.arange(reach) + 0.5) / reach
    ramp = ((place - 0.25) * 2).clamp(_LEAST, 1)
    if begin > 0:
        weights[:reach] = ramp
    if end < length:
        weights[-reach:] = torch.minimum(weights[-reach:], ramp.flip(0))
    return weights
