from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from graphflow.diffusion import Border, border_mask, pad_picture

BORDER = Border(left=3, top=1, right=9, bottom=4)


@pytest.fixture
def pixels() -> Tensor:
    return torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def inner(padded: Tensor) -> Tensor:
    return padded[..., 1:5, 3:8]


@pytest.mark.parametrize("fill", ["edge", "mirror", "mean", "noise", "#102030"])
def test_the_picture_stays_in_its_place(pixels: Tensor, fill: str) -> None:
    padded = pad_picture(pixels, BORDER, fill, generator=torch.Generator().manual_seed(1))
    assert padded.shape == (2, 3, 9, 17)
    assert torch.equal(inner(padded), pixels)
    assert 0 <= padded.min() <= padded.max() <= 1


@pytest.mark.parametrize(("fill", "mode"), [("edge", "edge"), ("mirror", "reflect")])
def test_fills_are_those_of_numpy(pixels: Tensor, fill: str, mode: str) -> None:
    expected = np.pad(pixels.numpy(), ((0, 0), (0, 0), (1, 4), (3, 9)), mode=mode)  # type: ignore[call-overload]
    np.testing.assert_array_equal(pad_picture(pixels, BORDER, fill).numpy(), expected)


def test_one_pixel_can_be_mirrored() -> None:
    assert torch.equal(pad_picture(torch.ones(1, 3, 1, 1), BORDER, "mirror"), torch.ones(1, 3, 6, 13))


def test_mean_is_that_of_the_rim(pixels: Tensor) -> None:
    pixels[..., 1:-1, 1:-1] = 0
    pixels[..., [0, -1], :] = 0.5
    pixels[..., [0, -1]] = 0.5
    assert torch.equal(pad_picture(pixels, BORDER, "mean")[..., 0, 0], torch.full((2, 3), 0.5))


def test_transparent_room_makes_the_picture_transparent_around(pixels: Tensor) -> None:
    padded = pad_picture(pixels, BORDER, "transparent")
    assert padded.shape[1] == 4
    assert inner(padded)[:, 3].min() == 1
    assert padded[:, 3, 0].max() == 0


def test_noise_needs_a_generator(pixels: Tensor) -> None:
    with pytest.raises(ValueError, match="noise is drawn from a generator"):
        pad_picture(pixels, BORDER, "noise")


def test_no_fill_is_named(pixels: Tensor) -> None:
    with pytest.raises(ValueError, match='"plaid" is no colour'):
        pad_picture(pixels, BORDER, "plaid")


def test_too_large_a_picture_is_refused(pixels: Tensor) -> None:
    with pytest.raises(ValueError, match="40005x4 is too large"):
        pad_picture(pixels, Border(left=40_000))


def test_the_mask_is_white_where_the_picture_is_new() -> None:
    mask = border_mask(BORDER, height=4, width=5)
    assert mask.shape == (1, 9, 17)
    assert inner(mask).max() == 0
    assert mask.sum() == 9 * 17 - 4 * 5


def test_the_mask_fades_over_the_old_picture_on_the_sides_that_are_new() -> None:
    mask = border_mask(Border(right=8), height=32, width=32, feather=8)
    assert mask[..., 32:].min() > 0.996
    assert mask[..., :24].max() == 0
    assert 0 < mask[0, 16, 27] < 1
