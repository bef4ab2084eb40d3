from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import BlendMode, blended, difference, joined_pictures, mirrored, picked_pictures, rotated


def flat(*values: float, side: int = 4) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1).repeat(1, 1, side, side)


def noise(seed: int, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, 20, 30, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("normal", 0.6),
        ("multiply", 0.24),
        ("screen", 0.76),
        ("overlay", 0.48),
        ("darken", 0.4),
        ("lighten", 0.6),
        ("color dodge", 1.0),
        ("color burn", 0.0),
        ("hard light", 0.52),
        ("soft light", 0.4 + 0.2 * (0.4**0.5 - 0.4)),
        ("difference", 0.2),
        ("exclusion", 0.52),
        ("add", 1.0),
        ("subtract", 0.0),
    ],
)
def test_each_mode_follows_its_formula(mode: BlendMode, wanted: float) -> None:
    made = blended(flat(0.4, 0.4, 0.4), flat(0.6, 0.6, 0.6), mode=mode)
    torch.testing.assert_close(made, flat(wanted, wanted, wanted))


@pytest.mark.parametrize("mode", get_args(BlendMode))
def test_extremes_stay_in_range(mode: BlendMode) -> None:
    ends = torch.tensor([0.0, 0.25, 0.5, 1.0])
    below = ends.repeat_interleave(4).view(1, 1, 4, 4).repeat(1, 3, 1, 1)
    above = ends.repeat(4).view(1, 1, 4, 4).repeat(1, 3, 1, 1)
    made = blended(below, above, mode=mode)
    assert made.isfinite().all()
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_amount_and_masks_mix() -> None:
    below, above = noise(1), noise(2)
    torch.testing.assert_close(blended(below, above, amount=0.0), below)
    torch.testing.assert_close(blended(below, above, amount=0.3), below.lerp(above, 0.3))
    half = torch.zeros(1, 1, 20, 30)
    half[..., 15:] = 1
    made = blended(below, above, mode="multiply", amount=half)
    torch.testing.assert_close(made[..., :15], below[..., :15])
    torch.testing.assert_close(made[..., 15:], (below * above)[..., 15:])


def test_masks_of_another_size_or_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="a mask of 5x5 does not fit pictures of 30x20"):
        blended(noise(1), noise(2), amount=torch.ones(1, 1, 5, 5))
    with pytest.raises(ValueError, match="do not go together"):
        blended(noise(1).repeat(2, 1, 1, 1), noise(2), amount=torch.ones(3, 1, 20, 30))
    assert blended(noise(1), noise(2), amount=torch.ones(3, 1, 20, 30)).shape == (3, 3, 20, 30)


def test_transparency_of_both_counts() -> None:
    red, clear = flat(1, 0, 0, 1), flat(0, 1, 0, 0)
    torch.testing.assert_close(blended(red, clear), red)
    torch.testing.assert_close(blended(clear, red), red)
    torch.testing.assert_close(blended(flat(1, 0, 0), flat(0, 0, 1, 0.25)), flat(0.75, 0, 0.25))
    both = blended(flat(1, 0, 0, 0.5), flat(0, 0, 1, 0.5))
    torch.testing.assert_close(both, flat(1 / 3, 0, 2 / 3, 0.75))


def test_one_picture_goes_over_many_and_other_sizes_are_refused() -> None:
    assert blended(noise(1).repeat(3, 1, 1, 1), noise(2)).shape == (3, 3, 20, 30)
    with pytest.raises(ValueError, match="30x20 and 4x4 do not fit"):
        blended(noise(1), flat(1, 1, 1))
    with pytest.raises(ValueError, match="do not go together"):
        blended(noise(1).repeat(3, 1, 1, 1), noise(2).repeat(2, 1, 1, 1))


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3, 4])
def test_quarter_turns_are_exact_and_clockwise(quarters: int) -> None:
    made = rotated(noise(0), 90.0 * quarters)
    assert torch.equal(made, torch.rot90(noise(0), -quarters, (2, 3)))
    assert torch.equal(rotated(made, -90.0 * quarters), noise(0))


def test_a_quarter_turn_moves_the_top_to_the_right() -> None:
    picture = torch.zeros(1, 3, 6, 6)
    picture[:, :, 0] = 1
    for degrees in (90.0, 89.999):
        made = rotated(picture, degrees, expand=False)
        assert made[0, 0, 3, 5] > 0.9, degrees
        assert made[0, 0, 3, 0] < 0.1, degrees


def test_any_angle_grows_the_frame_and_fills_the_corners() -> None:
    made = rotated(torch.ones(1, 3, 40, 60), 30.0, fill="red")
    assert made.shape == (1, 3, 65, 72)  # 60 cos 30 + 40 sin 30, 60 sin 30 + 40 cos 30
    assert made[0, :, 0, 0].tolist() == [1, 0, 0]
    assert made[0, :, 32, 36].tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    kept = rotated(torch.ones(1, 3, 40, 60), 30.0, expand=False, fill="transparent")
    assert kept.shape == (1, 4, 40, 60)
    assert kept[0, 3, 0, 0] == 0
    share = float(rotated(torch.ones(1, 3, 40, 60), 30.0, fill="transparent")[0, 3].sum()) / (40 * 60)
    assert share == pytest.approx(1, abs=0.03)


def test_turning_there_and_back_gives_the_picture_again() -> None:
    across = torch.linspace(0, 6, 60)
    picture = (0.5 + 0.4 * torch.sin(across) * torch.cos(across[:40]).view(-1, 1)).expand(1, 3, 40, 60)
    back = rotated(rotated(picture, 25.0), -25.0)
    top, left = (back.shape[-2] - 40) // 2, (back.shape[-1] - 60) // 2
    middle = back[..., top + 3 : top + 37, left + 3 : left + 57]
    assert (middle - picture[..., 3:37, 3:57]).abs().mean() < 0.01


def test_mirroring_swaps_sides() -> None:
    assert torch.equal(mirrored(noise(0), "horizontal")[..., 0], noise(0)[..., -1])
    assert torch.equal(mirrored(noise(0), "vertical")[..., 0, :], noise(0)[..., -1, :])


def test_equal_pictures_do_not_differ() -> None:
    found = difference(noise(1), noise(1))
    assert (found.largest, found.mean, found.psnr) == (0, 0, 100)
    assert found.ssim == pytest.approx(1)


def test_differences_are_measured() -> None:
    found = difference(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.6))
    assert found.largest == pytest.approx(0.1)
    assert found.mean == pytest.approx(0.1)
    assert found.psnr == pytest.approx(20)
    torch.testing.assert_close(found.absolute, torch.full((1, 3, 16, 16), 0.1))
    assert difference(noise(1), noise(2)).ssim < 0.3
    with pytest.raises(ValueError, match="30x20 and 4x4 cannot be compared"):
        difference(noise(1), flat(1, 1, 1))


def test_pictures_join_to_a_batch_and_come_out_again() -> None:
    batch = joined_pictures([noise(1), noise(2, channels=4)])
    assert batch.shape == (2, 4, 20, 30)
    assert batch[0, 3].min() == 1
    assert torch.equal(picked_pictures(batch, first=-1, count=1), noise(2, channels=4))
    assert torch.equal(picked_pictures(batch, first=0, count=2), batch)
    with pytest.raises(ValueError, match="30x20, 4x4; resize"):
        joined_pictures([noise(1), flat(1, 1, 1)])
    with pytest.raises(ValueError, match="no picture"):
        joined_pictures([])
    for first, count in ((2, 1), (1, 2), (-3, 1)):
        with pytest.raises(ValueError, match="are not in a batch of 2"):
            picked_pictures(batch, first=first, count=count)
