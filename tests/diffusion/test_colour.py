from __future__ import annotations

import numpy as np
import pytest
import torch
from kornia.color import rgb_to_lab
from torch import Tensor

from graphflow.diffusion import (
    adjusted,
    colour_values,
    filled,
    flattened,
    greyed,
    inverted,
    matched_histograms as histograms,
    matched_statistics as statistics,
    with_alpha,
    with_opacity,
)


def noise(seed: int, *, channels: int = 3, low: float = 0.0, high: float = 1.0) -> Tensor:
    return torch.rand(1, channels, 24, 32, generator=torch.Generator().manual_seed(seed)) * (high - low) + low


def pixel(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1)


def rgb(pixels: Tensor) -> list[float]:
    return [round(value, 4) for value in pixels.flatten().tolist()]


def test_left_alone_nothing_changes() -> None:
    for channels in (3, 4):
        picture = noise(0, channels=channels)
        assert torch.equal(adjusted(picture), picture)


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("brightness", 0.5, [0.4, 0.2, 0.1]),
        ("brightness", 2.0, [1.0, 0.8, 0.4]),
        ("contrast", 0.0, [0.5, 0.5, 0.5]),
        ("contrast", 2.0, [1.0, 0.3, 0.0]),
        ("saturation", 0.0, [0.4968, 0.4968, 0.4968]),
        ("gamma", 2.0, [0.8944, 0.6325, 0.4472]),
        ("hue", 120.0, [0.2, 0.8, 0.4]),
    ],
)
def test_each_setting_does_what_it_says(setting: str, value: float, wanted: list[float]) -> None:
    assert rgb(adjusted(pixel(0.8, 0.4, 0.2), **{setting: value})) == pytest.approx(wanted, abs=2e-4)


def test_alpha_stays_whatever_happens_to_colours() -> None:
    picture = noise(1, channels=4)
    for change in (
        adjusted(picture, gamma=2, hue=40),
        inverted(picture),
        greyed(picture),
        statistics(picture, noise(2)),
    ):
        assert torch.equal(change[:, 3], picture[:, 3])


def test_inverting_twice_changes_nothing_and_grey_has_no_colour() -> None:
    picture = noise(0)
    torch.testing.assert_close(inverted(inverted(picture)), picture)
    grey = greyed(picture)
    assert grey.shape == picture.shape
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert rgb(greyed(pixel(0.0, 1.0, 0.0))) == [0.587] * 3


def test_reinhard_takes_over_mean_and_spread_in_lab() -> None:
    reference = noise(5, low=0.4, high=0.7)
    made = rgb_to_lab(statistics(noise(4, low=0.1, high=0.9), reference))
    wanted = rgb_to_lab(reference)
    torch.testing.assert_close(made.mean((2, 3)), wanted.mean((2, 3)), atol=0.6, rtol=0)
    torch.testing.assert_close(made.std((2, 3)), wanted.std((2, 3)), atol=0.6, rtol=0)


def test_histograms_are_taken_over_as_skimage_would() -> None:
    picture, reference = noise(4), noise(5) ** 3
    made = histograms(picture, reference)
    for channel in range(3):
        got, wanted = made[0, channel].flatten().sort().values, reference[0, channel].flatten().sort().values
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    order = picture[0, 0].flatten().argsort()
    assert (made[0, 0].flatten()[order].diff() >= 0).all()  # the order of lightness stays


def test_a_picture_matched_with_itself_stays() -> None:
    picture = noise(3)
    torch.testing.assert_close(histograms(picture, picture), picture)
    torch.testing.assert_close(statistics(picture, picture), picture, atol=1e-4, rtol=0)


def test_flat_pictures_and_other_sizes_match_too() -> None:
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert statistics(flat, noise(1)).isfinite().all()
    assert len(histograms(flat, noise(1)).unique()) == 3
    assert histograms(noise(1), flat).unique().tolist() == [0.5]
    two = torch.cat([noise(1), noise(2)])
    assert histograms(two, torch.cat([noise(3), flat.expand(1, 3, 8, 8).repeat(1, 1, 3, 4)])).shape == two.shape


def test_transparency_is_laid_on_a_colour() -> None:
    half = torch.cat([torch.ones(1, 3, 2, 2), torch.full((1, 1, 2, 2), 0.25)], dim=1)
    assert rgb(flattened(half, colour_values("black"))[..., :1, :1]) == [0.25] * 3
    opaque = noise(0)
    assert flattened(with_alpha(opaque), (0.0, 0.0, 0.0)).equal(opaque)
    assert with_opacity(opaque, torch.zeros(1, 24, 32))[:, 3].max() == 0
    with pytest.raises(ValueError, match="8x8 does not fit a picture of 32x24"):
        with_opacity(opaque, torch.zeros(1, 8, 8))


@pytest.mark.parametrize(
    ("colour", "values"),
    [
        ("white", (1, 1, 1, 1)),
        (" #F80 ", (1, 136 / 255, 0, 1)),
        ("rgb(0, 255, 0)", (0, 1, 0, 1)),
        ("#ff000080", (1, 0, 0, 128 / 255)),
        ("transparent", (0, 0, 0, 0)),
    ],
)
def test_colours_are_written_as_css_writes_them(colour: str, values: tuple[float, ...]) -> None:
    assert colour_values(colour) == pytest.approx(values)
    assert filled(colour, batch=2, height=3, width=4).shape == (2, 3 if values[3] == 1 else 4, 3, 4)
