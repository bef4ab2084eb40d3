from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from graphflow.diffusion import FeatherSide, blur_mask, feather_mask, grow_mask, shrink_mask


@pytest.fixture
def square() -> Tensor:
    mask = torch.zeros(1, 64, 64)
    mask[:, 20:40, 24:44] = 1
    return mask


def disc(radius: int) -> np.ndarray:
    """Pixels that a round pen of a radius covers."""
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    found: np.ndarray = rows**2 + columns**2 <= radius * (radius + 1)
    return found


@pytest.mark.parametrize("pixels", [1, 2, 3, 5, 8, 13])
def test_growing_is_dilation_with_a_disc(pixels: int) -> None:
    mask = (torch.rand(2, 40, 50, generator=torch.Generator().manual_seed(pixels)) - 0.9).clamp_min(0) * 10
    grown = grow_mask(mask, pixels)
    for ours, before in zip(grown.numpy(), mask.numpy(), strict=True):
        expected = ndimage.grey_dilation(before, footprint=disc(pixels), mode="constant", cval=0)
        np.testing.assert_array_equal(ours, expected)


def test_growing_further_than_the_picture_fills_it(square: Tensor) -> None:
    assert torch.equal(grow_mask(square, 200), torch.ones_like(square))


def test_shrinking_is_growing_of_the_rest(square: Tensor) -> None:
    shrunk = shrink_mask(square, 3)
    assert shrunk[0, 23:37, 27:41].min() == 1
    assert shrunk.sum() == 14 * 14
    assert torch.equal(shrink_mask(grow_mask(square, 5), 5), square)


def test_the_border_of_the_picture_does_not_eat_the_mask() -> None:
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    expected = mask.clone()
    expected[:, :, 5:] = 0
    assert torch.equal(shrink_mask(mask, 3), expected)


def test_nothing_moves_by_no_pixels(square: Tensor) -> None:
    for change in (grow_mask, shrink_mask, blur_mask, feather_mask):
        assert torch.equal(change(square, 0), square)
        assert change(square, 0) is not square


def test_blurring_reaches_so_far_and_no_further(square: Tensor) -> None:
    line = blur_mask(square, 6)[0, 30]
    assert line[:18].max() == 0
    assert 0 < line[18] < line[23] < 0.5 < line[24] < line[29] < 1
    torch.testing.assert_close(line[30:38], torch.ones(8))


def test_blurring_keeps_what_touches_the_border() -> None:
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    torch.testing.assert_close(blur_mask(mask, 4)[:, :, 0], torch.ones(1, 16))


@pytest.mark.parametrize("pixels", [1, 2, 5, 8, 20])
def test_outside_the_mask_stays_full_and_beyond_the_feather_empty(square: Tensor, pixels: int) -> None:
    feathered = feather_mask(square, pixels)
    reach = grow_mask(square, pixels + 1)
    assert feathered[square == 1].min() > 0.996
    assert feathered[reach == 0].max() < 1e-3
    assert feathered[0, 30, 24 - pixels - 1] == 0
    assert feathered[0, 30, 23] > 0.5


def test_inside_what_is_around_stays_empty(square: Tensor) -> None:
    feathered = feather_mask(square, 8, side="inside")
    assert feathered[square == 0].max() < 0.004
    assert feathered[0, 30, 34] > 0.99


def test_both_is_half_and_half(square: Tensor) -> None:
    feathered = feather_mask(square, 8, side="both")
    assert float(feathered[0, 30, 23] + feathered[0, 30, 24]) == pytest.approx(1, abs=1e-5)


def test_another_side_is_refused(square: Tensor) -> None:
    side: FeatherSide = "round"  # type: ignore[assignment]
    with pytest.raises(ValueError, match='no side "round"; use one of outside, both, inside'):
        feather_mask(square, 4, side=side)
