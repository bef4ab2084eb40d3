from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from graphflow.diffusion import fill_holes


@pytest.mark.parametrize("seed", range(5))
def test_holes_are_those_that_scipy_finds(seed: int) -> None:
    mask = (torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(seed)) < 0.6).float()
    for ours, before in zip(fill_holes(mask).numpy(), mask.numpy(), strict=True):
        np.testing.assert_array_equal(ours > 0.5, ndimage.binary_fill_holes(before > 0.5))


def test_a_spiral_is_open_however_long() -> None:
    mask = torch.tensor(
        [
            [1, 1, 1, 1, 1, 1, 1],
            [1, 0, 0, 0, 0, 0, 1],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 1, 0, 1, 0, 1],
            [1, 0, 1, 0, 0, 0, 1],
            [1, 0, 1, 1, 1, 1, 1],
            [1, 0, 1, 0, 0, 0, 0],
        ]
    ).float()[None]
    assert torch.equal(fill_holes(mask), mask)
    mask[0, 6, 1] = 1
    assert fill_holes(mask)[0, :6].min() == 1


def test_gray_that_is_no_hole_stays() -> None:
    mask = torch.full((1, 5, 5), 0.25)
    mask[0, 1:4, 1:4] = 0.75
    mask[0, 2, 2] = 0.3
    filled = fill_holes(mask)
    assert filled[0, 2, 2] == 1
    filled[0, 2, 2] = 0.3
    assert torch.equal(filled, mask)
