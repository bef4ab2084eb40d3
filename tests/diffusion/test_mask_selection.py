from __future__ import annotations

from typing import get_args

import pytest
import torch

from graphflow.diffusion import Channel, channel_mask, colour_mask, pixels_from_pil, range_mask


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))


def test_channels_are_taken_as_they_are(pixels: torch.Tensor) -> None:
    for at, channel in enumerate(("red", "green", "blue", "alpha")):
        assert channel in get_args(Channel)
        assert torch.equal(channel_mask(pixels, channel), pixels[:, at])  # type: ignore[arg-type]


def test_brightness_is_that_of_a_grey_picture() -> None:
    from PIL import Image as Pil

    picture = Pil.new("RGB", (2, 1))
    picture.putpixel((0, 0), (200, 30, 90))
    picture.putpixel((1, 0), (0, 255, 40))
    expected = torch.tensor([[[picture.convert("L").getpixel((x, 0)) / 255 for x in (0, 1)]]])  # type: ignore[operator]
    torch.testing.assert_close(channel_mask(pixels_from_pil(picture)), expected, atol=0.003, rtol=0)


def test_a_picture_without_transparency_is_opaque(pixels: torch.Tensor) -> None:
    assert torch.equal(channel_mask(pixels[:, :3], "alpha"), torch.ones(2, 5, 6))


def test_masks_are_copies(pixels: torch.Tensor) -> None:
    before = pixels.clone()
    channel_mask(pixels, "alpha").zero_()
    channel_mask(pixels, "red").zero_()
    assert torch.equal(pixels, before)


def test_a_colour_counts_up_to_the_tolerance() -> None:
    pixels = torch.tensor([[1.0, 0.5, 0.0], [0.8, 0.5, 0.0], [0.0, 0.0, 1.0]]).T[None, :, None]
    exact = colour_mask(pixels, "#ff8000", tolerance=0.01)
    assert exact.tolist() == [[[1, 0, 0]]]
    assert colour_mask(pixels, "#ff8000", tolerance=0.12).tolist() == [[[1, 1, 0]]]
    soft = colour_mask(pixels, "#ff8000", tolerance=0.05, softness=0.2)
    assert soft[0, 0, 0] == 1
    assert 0 < soft[0, 0, 1] < 1
    assert soft[0, 0, 2] == 0


def test_black_and_white_are_one_apart() -> None:
    white = torch.ones(1, 3, 1, 1)
    assert colour_mask(white, "black", tolerance=0.999) == 0
    assert colour_mask(white, "black", tolerance=1.0) == 1


def test_a_tolerance_of_none_takes_the_colour_itself() -> None:
    pixels = (torch.tensor([200, 40, 7]) / 255).view(1, 3, 1, 1)
    assert colour_mask(pixels, "#c82807", tolerance=0.0) == 1


def test_no_colour_is_named() -> None:
    with pytest.raises(ValueError, match='"reddish" is no colour'):
        colour_mask(torch.ones(1, 3, 1, 1), "reddish", tolerance=0.1)
    with pytest.raises(ValueError, match="take the channel alpha instead"):
        colour_mask(torch.ones(1, 4, 1, 1), "transparent", tolerance=0.1)


def test_a_range_includes_its_ends_and_fades_beyond() -> None:
    values = torch.tensor([[[0.1, 0.25, 0.3, 0.6, 0.7, 0.9]]])
    assert range_mask(values, low=0.3, high=0.6).tolist() == [[[0, 0, 1, 1, 0, 0]]]
    soft = range_mask(values, low=0.3, high=0.6, softness=0.2)
    torch.testing.assert_close(soft, torch.tensor([[[0, 0.75, 1, 1, 0.5, 0]]]))
    with pytest.raises(ValueError, match=r"nothing is from 0.7 to 0.3"):
        range_mask(values, low=0.7, high=0.3)
