"""Growing, shrinking and labelling of boolean masks, in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["grown", "labelled_regions", "shrunk"]

Mask = NDArray[np.bool_]


def grown(mask: Mask, *, times: int = 1) -> Mask:
    """The mask and all pixels that touch it, also at corners."""
    for _ in range(times):
        tall = mask.copy()
        tall[1:] |= mask[:-1]
        tall[:-1] |= mask[1:]
        mask = tall.copy()
        mask[:, 1:] |= tall[:, :-1]
        mask[:, :-1] |= tall[:, 1:]
    return mask


def shrunk(mask: Mask) -> Mask:
    """The mask without its outermost pixels; the border of the picture does not count as outside."""
    return ~grown(~mask)


def labelled_regions(mask: Mask) -> list[Mask]:
    """One mask per connected region (four neighbours), by joining the runs of neighbouring rows."""
    runs: list[tuple[int, int, int]] = []  # row, first column, end column
    parents: list[int] = []
    above: list[int] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0)).tolist()
        current: list[int] = []
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            index = len(runs)
            runs.append((row, start, end))
            parents.append(index)
            current.append(index)
            for other in above:
                if runs[other][1] < end and start < runs[other][2]:
                    parents[_root(parents, other)] = _root(parents, index)
        above = current
    regions: dict[int, Mask] = {}
    for index, (row, start, end) in enumerate(runs):
        region = regions.setdefault(_root(parents, index), np.zeros_like(mask))
        region[row, start:end] = True
    return list(regions.values())


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
