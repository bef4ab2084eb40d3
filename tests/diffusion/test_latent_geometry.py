from __future__ import annotations

import pytest
import torch

from graphflow.diffusion import Sides, crop_latent, flip_latent, picture_size, resize_latent, rotate_latent
from graphflow.ports import Latent, Mask

MASK_SIZES = [(96, 64), (12, 8), (30, 17)]
"""In picture size, in latent size, and in neither: height, width."""


def latent_of(*, reduction: int = 8, mask: tuple[int, int] | None = None, batch: int = 2) -> Latent:
    draw = torch.Generator().manual_seed(0)
    samples = torch.randn(batch, 4, 12, 8, generator=draw)
    values = None if mask is None else Mask(torch.rand(1, *mask, generator=draw))
    return Latent(samples, reduction, values, "sd")


def test_the_size_is_that_of_the_picture() -> None:
    assert picture_size(latent_of()) == (64, 96)
    assert picture_size(latent_of(reduction=4)) == (32, 48)


@pytest.mark.parametrize("filter", ["bicubic", "bilinear", "area", "nearest"])
@pytest.mark.parametrize(
    ("sides", "shape"),
    [
        (Sides(128, 64), (8, 16)),
        (Sides(width=128), (24, 16)),
        (Sides(height=48), (6, 4)),
        (Sides(factor=1.5), (18, 12)),
        (Sides(factor=0.3), (4, 2)),
        (Sides(longest=192), (24, 16)),
    ],
)
def test_sizes_are_asked_for_in_pixels_and_rounded_to_what_fits(
    filter: str, sides: Sides, shape: tuple[int, int]
) -> None:
    resized = resize_latent(latent_of(mask=(96, 64)), sides, filter=filter)  # type: ignore[arg-type]
    assert resized.samples.shape == (2, 4, *shape)
    assert resized.noise_mask is not None
    assert resized.space == "sd"
    assert resized.samples.isfinite().all()


def test_a_width_and_height_that_do_not_fit_name_the_nearest() -> None:
    with pytest.raises(ValueError, match="multiples of 8; the nearest size is 104x96"):
        resize_latent(latent_of(), Sides(100, 96))
    assert resize_latent(latent_of(reduction=4), Sides(100, 96)).samples.shape[-2:] == (24, 25)


def test_nearest_keeps_values_and_area_keeps_the_mean() -> None:
    latent = latent_of()
    double = resize_latent(latent, Sides(factor=2), filter="nearest").samples
    assert torch.equal(double[..., ::2, ::2], latent.samples)
    half = resize_latent(latent, Sides(factor=0.5), filter="area").samples
    torch.testing.assert_close(half.mean(dim=(2, 3)), latent.samples.mean(dim=(2, 3)))


def test_without_antialias_values_are_skipped() -> None:
    latent = latent_of()
    with_it, without = (
        resize_latent(latent, Sides(factor=0.25), filter="bilinear", antialias=antialias).samples
        for antialias in (True, False)
    )
    assert with_it.std() < without.std()


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(ValueError, match='no filter "lanczos" for latents; use one of bicubic'):
        resize_latent(latent_of(), Sides(factor=2), filter="lanczos")  # type: ignore[arg-type]


def test_a_part_is_cut_out_with_its_mask() -> None:
    latent = latent_of(mask=(96, 64))
    part = crop_latent(latent, left=16, top=24, width=32, height=40)
    assert torch.equal(part.samples, latent.samples[:, :, 3:8, 2:6])
    assert latent.noise_mask is not None
    assert part.noise_mask is not None
    assert torch.equal(part.noise_mask.values, latent.noise_mask.values[:, 24:64, 16:48])
    assert (part.reduction, part.space) == (8, "sd")


def test_a_mask_of_latent_size_is_cut_on_its_own_grid() -> None:
    latent = latent_of(mask=(12, 8))
    part = crop_latent(latent, left=16, top=24, width=32, height=40)
    assert latent.noise_mask is not None
    assert part.noise_mask is not None
    assert torch.equal(part.noise_mask.values, latent.noise_mask.values[:, 3:8, 2:6])


def test_a_small_mask_never_vanishes() -> None:
    latent = latent_of(mask=(2, 2))
    part = crop_latent(latent, left=56, top=88, width=8, height=8)
    assert latent.noise_mask is not None
    assert part.noise_mask is not None
    assert torch.equal(part.noise_mask.values, latent.noise_mask.values[:, 1:, 1:])


def test_numbers_that_are_no_multiples_name_the_nearest() -> None:
    with pytest.raises(ValueError, match="the nearest are left 16, top 0, width 32, height 40"):
        crop_latent(latent_of(), left=13, top=3, width=30, height=40)


@pytest.mark.parametrize("place", [{"left": 40}, {"top": 64}, {"left": -8}, {"width": 0}])
def test_a_part_outside_is_refused(place: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is not within a picture of 64x96"):
        crop_latent(latent_of(), **{"left": 0, "top": 0, "width": 32, "height": 40, **place})


@pytest.mark.parametrize("mask", MASK_SIZES)
def test_flipping_twice_is_nothing(mask: tuple[int, int]) -> None:
    latent = latent_of(mask=mask)
    for axis in ("horizontal", "vertical"):
        there = flip_latent(latent, axis)
        back = flip_latent(there, axis)
        assert not torch.equal(there.samples, latent.samples)
        assert torch.equal(back.samples, latent.samples)
        assert back.noise_mask is not None
        assert latent.noise_mask is not None
        assert torch.equal(back.noise_mask.values, latent.noise_mask.values)


def test_horizontal_swaps_left_and_right() -> None:
    latent = latent_of(mask=(96, 64))
    flipped = flip_latent(latent, "horizontal")
    assert torch.equal(flipped.samples[..., 0], latent.samples[..., -1])
    assert flipped.noise_mask is not None
    assert latent.noise_mask is not None
    assert torch.equal(flipped.noise_mask.values[..., 0], latent.noise_mask.values[..., -1])


@pytest.mark.parametrize("mask", MASK_SIZES)
def test_turning_is_clockwise_and_the_mask_turns_along(mask: tuple[int, int]) -> None:
    latent = latent_of(mask=mask)
    quarter = rotate_latent(latent, "90")
    assert quarter.samples.shape == (2, 4, 8, 12)
    assert torch.equal(
        quarter.samples[:, :, 0, -1], latent.samples[:, :, 0, 0]
    )  # the corner at the top left comes to the right
    assert quarter.noise_mask is not None
    assert quarter.noise_mask.values.shape == (1, mask[1], mask[0])
    assert torch.equal(rotate_latent(quarter, "90").samples, rotate_latent(latent, "180").samples)
    whole = rotate_latent(rotate_latent(latent, "270"), "90")
    assert torch.equal(whole.samples, latent.samples)


def test_inputs_stay_as_they_are() -> None:
    latent = latent_of(mask=(96, 64))
    before = latent.samples.clone()
    flip_latent(latent, "horizontal").samples.zero_()
    rotate_latent(latent, "180").samples.zero_()
    crop_latent(latent, left=0, top=0, width=32, height=40).samples.zero_()
    assert torch.equal(latent.samples, before)
