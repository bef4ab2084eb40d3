from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import box_mean, gaussian_blur, sharpened


def dot(side: int = 41, channels: int = 3) -> Tensor:
    pixels = torch.zeros(1, channels, side, side)
    pixels[:, :, side // 2, side // 2] = 1
    return pixels


def edge() -> Tensor:
    pixels = torch.full((1, 3, 16, 32), 0.3)
    pixels[..., 16:] = 0.7
    return pixels


@pytest.mark.parametrize("radius", [1.0, 2.0, 4.0])
def test_a_dot_spreads_to_a_bell_of_that_radius(radius: float) -> None:
    spread = gaussian_blur(dot(), radius)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-4)
    places = torch.arange(41.0) - 20
    assert float((spread.sum(0) * places.square()).sum()) == pytest.approx(radius**2, rel=0.06)
    torch.testing.assert_close(spread, spread.T)


def test_a_box_takes_the_mean_of_a_square() -> None:
    spread = box_mean(dot(), 2)[0, 0]
    assert int((spread > 0).sum()) == 25
    assert float(spread.max()) == pytest.approx(1 / 25)


@pytest.mark.parametrize("radius", [0.0, 30.0])
def test_flat_pictures_stay_flat_up_to_the_border(radius: float) -> None:
    flat = torch.full((2, 3, 9, 7), 0.4)
    torch.testing.assert_close(gaussian_blur(flat, radius), flat)
    torch.testing.assert_close(box_mean(flat, int(radius)), flat)


def test_blur_keeps_unseen_colours_unseen() -> None:
    picture = torch.zeros(1, 4, 16, 16)
    picture[:, 1] = 1  # green everywhere, unseen
    picture[:, :, 4:12, 4:12] = torch.tensor([1.0, 0, 0, 1]).view(1, 4, 1, 1)
    made = gaussian_blur(picture, 2.0)
    seen = made[:, 3] > 0.01
    assert (made[:, 1][seen] < 0.01).all()
    assert 0 < made[0, 3, 3, 8] < 1


def test_sharpening_steepens_edges_and_leaves_the_rest() -> None:
    made = sharpened(edge(), radius=1.0, amount=1.0)
    assert made[0, 0, 8, 15] < 0.29
    assert made[0, 0, 8, 16] > 0.71
    torch.testing.assert_close(made[..., :8], edge()[..., :8], atol=1e-4, rtol=0)
    torch.testing.assert_close(sharpened(edge(), radius=1.0, amount=0.0), edge())


def test_what_is_below_the_threshold_stays() -> None:
    grain = edge() + 0.01 * torch.rand(1, 3, 16, 32, generator=torch.Generator().manual_seed(0))
    made = sharpened(grain, radius=1.0, amount=2.0, threshold=0.05)
    assert torch.equal(made[..., :12], grain[..., :12])
    assert made[0, 0, 8, 16] > grain[0, 0, 8, 16] + 0.05


def test_sharpening_never_changes_its_input_nor_alpha() -> None:
    picture = torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    before = picture.clone()
    made = sharpened(picture, radius=1.0, amount=3.0)
    assert torch.equal(picture, before)
    assert torch.equal(made[:, 3], picture[:, 3])
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
