from __future__ import annotations

import pytest
import torch
from graphflow.packs.builtin.image.composite_image import CompositeImage
from graphflow.packs.builtin.image.pad_image import PadImage
from graphflow.packs.builtin.image.paste_back import PasteBack

from graphflow import Image, Mask
from graphflow.testing import run_node


def picture(seed: int, *, height: int = 32, width: int = 32) -> Image:
    return Image(torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)))


def test_beyond_the_feather_the_background_is_the_same_bit_by_bit() -> None:
    values = torch.zeros(1, 32, 32)
    values[:, 10:20, 10:20] = 1
    top, below = picture(0), picture(1)
    found = run_node(CompositeImage(image=top, background=below, mask=Mask(values), feather=4))["image"].pixels
    torch.testing.assert_close(found[..., 10:20, 10:20], top.pixels[..., 10:20, 10:20], atol=0.005, rtol=0)
    beyond = torch.ones(32, 32, dtype=torch.bool)
    beyond[5:25, 5:25] = False
    assert torch.equal(found[..., beyond], below.pixels[..., beyond])


def test_a_small_picture_is_laid_down_in_its_place() -> None:
    found = run_node(CompositeImage(image=picture(0, height=8, width=6), background=picture(1), left=4, top=20))
    pixels = found["image"].pixels
    assert torch.equal(pixels[..., 20:28, 4:10], picture(0, height=8, width=6).pixels)
    assert torch.equal(pixels[..., :20, :], picture(1).pixels[..., :20, :])


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="resize the mask to that"):
        run_node(CompositeImage(image=picture(0), background=picture(1), mask=Mask(torch.ones(1, 4, 4))))


def test_padding_gives_the_room_and_its_mask() -> None:
    made = run_node(PadImage(image=picture(0), left=8, bottom=16, feather=4))
    assert made["image"].pixels.shape == (1, 3, 48, 40)
    assert torch.equal(made["image"].pixels[..., :32, 8:], picture(0).pixels)
    mask = made["mask"].values
    assert mask[:, :, :8].min() > 0.99
    assert mask[:, 32:].min() > 0.99
    assert mask[:, :28, 12:].max() == 0


def test_noise_depends_on_its_seed_alone() -> None:
    first, again, other = (
        run_node(PadImage(image=picture(0), right=8, fill="Noise", seed=seed))["image"].pixels for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_box_that_is_not_in_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="8x8 at 30, 0 is not within 32x32"):
        run_node(PasteBack(image=picture(0), background=picture(1), box=[30, 0, 8, 8]))
