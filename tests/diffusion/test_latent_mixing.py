from __future__ import annotations

from math import acos, sin

import pytest
import torch

from graphflow.diffusion import (
    add_latents,
    batch_latents,
    blend_latents,
    composite_latents,
    pick_latents,
    repeat_latent,
)
from graphflow.ports import Latent, Mask


def latent_of(
    seed: int = 0, *, batch: int = 1, side: int = 8, mask: Mask | None = None, space: str = "sd", reduction: int = 8
) -> Latent:
    samples = torch.randn(batch, 4, side, side, generator=torch.Generator().manual_seed(seed))
    return Latent(samples, reduction, mask, space)


def test_a_batch_holds_all_in_order() -> None:
    one, two = latent_of(0, batch=2), latent_of(1)
    batch = batch_latents([one, two])
    assert torch.equal(batch.samples, torch.cat([one.samples, two.samples]))
    assert batch.noise_mask is None
    assert batch.space == "sd"


def test_in_a_batch_each_keeps_its_mask_and_others_change_everywhere() -> None:
    small, large = torch.zeros(1, 8, 8), torch.zeros(1, 64, 64)
    small[:, :, 4:] = 1
    batch = batch_latents(
        [latent_of(batch=2, mask=Mask(small)), latent_of(1), latent_of(2, mask=Mask(large)), latent_of(3)]
    )
    assert batch.noise_mask is not None
    values = batch.noise_mask.values
    assert values.shape == (5, 64, 64)
    assert torch.equal(values[0], values[1])
    assert values[0, :, :24].max() == 0
    assert values[0, :, 40:].min() == 1
    assert values[2].min() == values[4].min() == 1
    assert values[3].max() == 0


def test_a_repeated_latent_repeats_its_masks() -> None:
    masks = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0))
    latent = latent_of(batch=2, mask=Mask(masks))
    repeated = repeat_latent(latent, 3)
    assert torch.equal(repeated.samples[4:], latent.samples)
    assert repeated.noise_mask is not None
    assert torch.equal(repeated.noise_mask.values[2:4], masks)
    shared = repeat_latent(latent_of(mask=Mask(masks[:1])), 3)
    assert shared.noise_mask is not None
    assert shared.noise_mask.values.shape[0] == 1


@pytest.mark.parametrize(("first", "count", "expected"), [(0, 1, [0]), (1, 2, [1, 2]), (-1, 1, [3]), (-2, 2, [2, 3])])
def test_pictures_are_picked_with_their_masks(first: int, count: int, expected: list[int]) -> None:
    latent = latent_of(batch=4, mask=Mask(torch.rand(4, 8, 8)))
    picked = pick_latents(latent, first=first, count=count)
    assert torch.equal(picked.samples, latent.samples[expected])
    assert picked.noise_mask is not None
    assert latent.noise_mask is not None
    assert torch.equal(picked.noise_mask.values, latent.noise_mask.values[expected])


@pytest.mark.parametrize(("first", "count"), [(4, 1), (3, 2), (-5, 1), (0, 0)])
def test_pictures_that_are_not_there_are_named(first: int, count: int) -> None:
    with pytest.raises(ValueError, match="its numbers are 0 to 3"):
        pick_latents(latent_of(batch=4), first=first, count=count)


def test_a_latent_is_laid_over_another_in_pixels_of_the_picture() -> None:
    front, onto = latent_of(0, side=4), latent_of(1)
    over = composite_latents(front, onto, left=16, top=32)
    assert torch.equal(over.samples[..., 4:8, 2:6], front.samples)
    assert torch.equal(over.samples[..., :4, :], onto.samples[..., :4, :])
    cut = composite_latents(front, onto, left=-8, top=40)
    assert torch.equal(cut.samples[..., 5:, :3], front.samples[..., :3, 1:])


def test_a_mask_of_any_size_covers_the_latent_on_top() -> None:
    front, onto = latent_of(0), latent_of(1)
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 36:] = 1
    over = composite_latents(front, onto, mask=mask).samples
    assert torch.equal(over[..., :4], onto.samples[..., :4])
    assert torch.equal(over[..., 5:], front.samples[..., 5:])
    torch.testing.assert_close(over[..., 4], (front.samples[..., 4] + onto.samples[..., 4]) / 2)


def test_places_between_latent_pixels_name_the_nearest() -> None:
    with pytest.raises(ValueError, match="left and top must be multiples of 8; the nearest are 16 and 0"):
        composite_latents(latent_of(), latent_of(1), left=13, top=3)


def test_sums_and_differences() -> None:
    one, two = latent_of(0), latent_of(1)
    torch.testing.assert_close(add_latents(one, two).samples, one.samples + two.samples)
    torch.testing.assert_close(add_latents(one, two, factor=-1).samples, one.samples - two.samples)
    assert add_latents(one, latent_of(1, batch=3)).samples.shape[0] == 3


def test_a_blend_goes_from_the_one_to_the_other() -> None:
    one, two = latent_of(0, batch=2), latent_of(1, batch=2)
    for spherical in (False, True):
        ends = [blend_latents(one, two, share=share, spherical=spherical).samples for share in (0.0, 1.0)]
        torch.testing.assert_close(ends[0], one.samples)
        torch.testing.assert_close(ends[1], two.samples)


def test_half_way_a_line_loses_contrast_and_an_arc_keeps_it() -> None:
    one, two = latent_of(0, side=64), latent_of(1, side=64)
    line, arc = (blend_latents(one, two, share=0.5, spherical=spherical).samples.std() for spherical in (False, True))
    assert float(line) == pytest.approx(0.5**0.5, abs=0.02)
    assert float(arc) == pytest.approx(1.0, abs=0.02)


def test_the_arc_is_shoemakes() -> None:
    one, two = latent_of(0), latent_of(1)
    a, b = one.samples.flatten().double(), two.samples.flatten().double()
    angle = acos(float(a @ b / (a.norm() * b.norm())))
    direction = (sin(0.7 * angle) * a / a.norm() + sin(0.3 * angle) * b / b.norm()) / sin(angle)
    expected = direction * (0.7 * a.norm() + 0.3 * b.norm())
    ours = blend_latents(one, two, share=0.3, spherical=True).samples.flatten().double()
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_the_arc_between_equal_latents_is_a_point() -> None:
    one = latent_of()
    torch.testing.assert_close(blend_latents(one, one, share=0.4, spherical=True).samples, one.samples)


def test_an_empty_latent_has_no_direction() -> None:
    with pytest.raises(ValueError, match="an empty latent has no direction"):
        blend_latents(latent_of(), Latent(torch.zeros(1, 4, 8, 8)), share=0.5, spherical=True)


def test_an_empty_latent_goes_with_every_family() -> None:
    empty = Latent(torch.zeros(1, 4, 8, 8))
    assert add_latents(empty, latent_of(space="sdxl")).space == "sdxl"
    assert batch_latents([empty, latent_of(space="sdxl")]).space == "sdxl"


def test_latents_of_different_kinds_do_not_mix() -> None:
    with pytest.raises(ValueError, match="sd, 4 channels at 1/8 of the picture and sdxl, 4 channels at 1/8"):
        add_latents(latent_of(), latent_of(space="sdxl"))
    with pytest.raises(ValueError, match="at 1/8 of the picture and sd, 4 channels at 1/4"):
        composite_latents(latent_of(), latent_of(reduction=4))
    with pytest.raises(ValueError, match="latents of 64x64 and 32x32 do not go together"):
        blend_latents(latent_of(), latent_of(side=4), share=0.5)
    with pytest.raises(ValueError, match="latents of 64x64 and 32x32 do not go into one batch"):
        batch_latents([latent_of(), latent_of(side=4)])
    with pytest.raises(ValueError, match=r"different sizes do not go together \(latent 2, other 3\)"):
        add_latents(latent_of(batch=2), latent_of(batch=3))
    with pytest.raises(ValueError, match="no latent to batch"):
        batch_latents([])
