"""Holes in masks, found along rows and columns in turn."""

from __future__ import annotations

import torch
from torch import Tensor


def fill_holes(mask: Tensor) -> Tensor:
    """The mask `[batch, height, width]` with a 1 wherever it surrounds something: where no way of sides that touch leads out of the picture.

    A pixel of 0.5 and more is part of the mask; values outside holes stay as they are.
    """
    empty = mask < 0.5
    outside = torch.zeros_like(empty)
    outside[:, [0, -1]] = empty[:, [0, -1]]
    outside[:, :, [0, -1]] = empty[:, :, [0, -1]]
    while True:
        known = outside
        outside = _along_rows(outside, empty)
        outside = _along_rows(outside.mT, empty.mT).mT
        if torch.equal(outside, known):
            return torch.where(empty & ~outside, torch.ones_like(mask), mask)


def _along_rows(outside: Tensor, empty: Tensor) -> Tensor:
    """Runs of empty pixels in a row are outside as a whole once one of them is."""
    starts = torch.ones_like(empty)
    starts[..., 1:] = empty[..., 1:] != empty[..., :-1]
    runs = starts.flatten().cumsum(0) - 1
    is_out = torch.zeros(int(runs[-1]) + 1, dtype=torch.bool, device=empty.device)
    is_out[runs[outside.flatten()]] = True
    return is_out[runs].view(empty.shape) & empty
