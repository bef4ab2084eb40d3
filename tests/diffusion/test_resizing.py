from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image as Pil
from torch import Tensor

from graphflow.diffusion import Filter, Fit, Sides, resized, resized_to

FILTERS = get_args(Filter)


def smooth(height: int, width: int, channels: int = 3) -> Tensor:
    """A slow wave, the same scene at any size."""
    down = torch.linspace(0.5 / height, 1 - 0.5 / height, height).view(-1, 1)
    across = torch.linspace(0.5 / width, 1 - 0.5 / width, width)
    planes = [0.5 + 0.4 * torch.sin(3 * across + at) * torch.cos(2 * down + at) for at in range(channels)]
    return torch.stack(planes).unsqueeze(0)


def marked(width: int, height: int) -> Tensor:
    """White, with a red left edge and a blue right one."""
    pixels = torch.ones(1, 3, height, width)
    pixels[..., : width // 4] = torch.tensor([1.0, 0, 0]).view(3, 1, 1)
    pixels[..., -(width // 4) :] = torch.tensor([0, 0, 1.0]).view(3, 1, 1)
    return pixels


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("size", [(90, 120), (17, 23)])
def test_a_smooth_scene_looks_the_same_in_any_size(filter: Filter, size: tuple[int, int]) -> None:
    made = resized(smooth(45, 60), height=size[0], width=size[1], filter=filter)
    assert (made - smooth(*size)).abs().mean() < (0.02 if filter == "nearest" else 0.008)


@pytest.mark.parametrize("filter", FILTERS)
def test_values_stay_in_range_and_flat_colours_stay(filter: Filter) -> None:
    noise = (torch.rand(2, 3, 33, 20, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    for size in (9, 71):
        made = resized(noise, height=size, width=size, filter=filter)
        assert made.min() >= 0
        assert made.max() <= 1
        flat = resized(torch.full((1, 3, 30, 30), 0.3), height=size, width=size, filter=filter)
        torch.testing.assert_close(flat, torch.full((1, 3, size, size), 0.3))


def test_fine_stripes_turn_grey_with_antialias_and_flicker_without() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1

    def spread(filter: Filter, *, antialias: bool = True) -> float:
        # 13 pixels: what falls between two stripes changes from pixel to pixel
        return float(resized(stripes, height=13, width=13, filter=filter, antialias=antialias)[..., 2:-2].std())

    for filter in ("lanczos", "bicubic", "bilinear"):
        assert spread(filter) < 0.06, filter
    for filter in ("bicubic", "bilinear"):
        assert spread(filter, antialias=False) > 0.15, filter


def test_lanczos_equals_pillows() -> None:
    grey = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    made = resized(grey, height=25, width=70)
    plane = Pil.fromarray(grey[0, 1].numpy()).resize((70, 25), Pil.Resampling.LANCZOS)
    torch.testing.assert_close(made[0, 1], torch.from_numpy(np.array(plane)).clamp(0, 1))


def test_colours_behind_transparency_do_not_leak() -> None:
    picture = torch.zeros(1, 4, 32, 32)
    picture[:, 0, :, :16], picture[:, 3, :, :16] = 1, 1  # red, opaque
    picture[:, 1, :, 16:] = 1  # green, unseen
    for filter in FILTERS:
        made = resized(picture, height=11, width=11, filter=filter)
        assert made[:, 1].max() == 0, filter
        seen = made[:, 3] > 0.01
        assert (made[:, 0][seen] > 0.99).all(), filter


@pytest.mark.parametrize(
    ("sides", "wanted"),
    [
        (Sides(width=50, height=30), (50, 30)),
        (Sides(width=50), (50, 25)),
        (Sides(height=50), (100, 50)),
        (Sides(longest=100), (100, 50)),
        (Sides(shortest=100), (200, 100)),
        (Sides(factor=0.5), (40, 20)),
    ],
)
def test_each_way_to_say_the_size(sides: Sides, wanted: tuple[int, int]) -> None:
    made = resized_to(torch.zeros(1, 3, 40, 80), sides)
    assert (made.shape[-1], made.shape[-2]) == wanted


@pytest.mark.parametrize("sides", [Sides(), Sides(width=3, factor=2.0), Sides(longest=3, shortest=3)])
def test_a_size_said_in_no_way_or_in_several_is_refused(sides: Sides) -> None:
    with pytest.raises(ValueError, match="the new size is given"):
        resized_to(torch.zeros(1, 3, 4, 4), sides)


@pytest.mark.parametrize("fit", get_args(Fit))
@pytest.mark.parametrize("multiple", [8, 64])
def test_sides_are_multiples(fit: Fit, multiple: int) -> None:
    made = resized_to(smooth(45, 100), Sides(longest=130), fit=fit, multiple_of=multiple)
    assert made.shape[-1] == round(130 / multiple) * multiple
    assert made.shape[-2] % multiple == 0
    assert made.shape[-2] >= multiple


def test_tiny_pictures_keep_a_pixel() -> None:
    assert resized_to(smooth(4, 400), Sides(longest=10)).shape[-2:] == (1, 10)
    assert resized_to(smooth(4, 400), Sides(width=8, height=8), fit="pad").shape[-2:] == (8, 8)


def test_crop_fills_and_cuts_where_the_anchor_says() -> None:
    wide = marked(80, 40)
    middle = resized_to(wide, Sides(40, 40))
    assert middle.min() == 1
    left = resized_to(wide, Sides(40, 40), anchor="left", filter="nearest")
    assert left[0, :, 20, 0].tolist() == [1, 0, 0]
    right = resized_to(wide, Sides(40, 40), anchor="bottom right", filter="nearest")
    assert right[0, :, 20, -1].tolist() == [0, 0, 1]


def test_pad_shows_all_and_fills_the_rest() -> None:
    wide = marked(80, 40)
    made = resized_to(wide, Sides(40, 40), fit="pad", fill="lime", filter="area")
    assert made[0, :, 0, 0].tolist() == [0, 1, 0]
    assert made[0, :, 20, 0].tolist() == [1, 0, 0]
    assert made[0, :, 20, -1].tolist() == [0, 0, 1]
    top = resized_to(wide, Sides(40, 40), fit="pad", fill="transparent", anchor="top", filter="area")
    assert top.shape == (1, 4, 40, 40)
    assert top[0, 3, :, 0].tolist() == [1.0] * 20 + [0.0] * 20
    with pytest.raises(ValueError, match='"greenish" is no colour'):
        resized_to(wide, Sides(40, 40), fit="pad", fill="greenish")


def test_inside_keeps_proportions_and_stretch_distorts() -> None:
    assert resized_to(smooth(40, 80), Sides(60, 60), fit="inside").shape[-2:] == (30, 60)
    made = resized_to(marked(80, 40), Sides(40, 40), fit="stretch", filter="area")
    assert made[0, :, 0, 0].tolist() == [1, 0, 0]
    assert made[0, :, 0, -1].tolist() == [0, 0, 1]


def test_a_side_beyond_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        resized_to(torch.zeros(1, 3, 1000, 1000), Sides(factor=64.0))
