from __future__ import annotations

from typing import Any

import pytest
import torch
from graphflow.packs.builtin.latent.add_latents import AddLatents
from graphflow.packs.builtin.latent.batch_latents import BatchLatents
from graphflow.packs.builtin.latent.blend_latents import BlendLatents
from graphflow.packs.builtin.latent.composite_latents import CompositeLatents
from graphflow.packs.builtin.latent.crop_latent import CropLatent
from graphflow.packs.builtin.latent.flip_latent import FlipLatent
from graphflow.packs.builtin.latent.pick_latent import PickLatent
from graphflow.packs.builtin.latent.repeat_latent import RepeatLatent
from graphflow.packs.builtin.latent.resize_latent import ResizeLatent
from graphflow.packs.builtin.latent.rotate_latent import RotateLatent
from graphflow.packs.builtin.latent.set_noise_mask import SetNoiseMask

from graphflow import Latent, Mask, Node
from graphflow.testing import run_node


@pytest.fixture
def latent() -> Latent:
    """Of a picture of 64x96 whose right half may change."""
    mask = torch.zeros(1, 96, 64)
    mask[:, :, 32:] = 1
    return Latent(torch.randn(1, 4, 12, 8, generator=torch.Generator().manual_seed(0)), 8, Mask(mask), "sd")


@pytest.fixture
def other() -> Latent:
    return Latent(torch.randn(1, 4, 12, 8, generator=torch.Generator().manual_seed(1)), 8, None, "sd")


def result_of(node: Node) -> Latent:
    found = run_node(node)["latent"]
    assert isinstance(found, Latent)
    assert found.space == "sd"
    return found


def mask_of(latent: Latent) -> torch.Tensor:
    assert latent.noise_mask is not None
    return latent.noise_mask.values


def test_resizing_takes_pixels_or_a_factor(latent: Latent) -> None:
    assert result_of(ResizeLatent(latent=latent, width=128)).samples.shape == (1, 4, 24, 16)
    assert result_of(ResizeLatent(latent=latent, factor=1.5)).samples.shape == (1, 4, 18, 12)
    with pytest.raises(ValueError, match="the new size is given not at all"):
        run_node(ResizeLatent(latent=latent))
    with pytest.raises(ValueError, match="the nearest size is 104x96"):
        run_node(ResizeLatent(latent=latent, width=100, height=96))


def test_cropping_names_the_nearest_numbers(latent: Latent) -> None:
    part = result_of(CropLatent(latent=latent, left=24, top=0, width=40, height=96))
    assert part.samples.shape == (1, 4, 12, 5)
    assert mask_of(part)[:, :, :8].max() == 0
    assert mask_of(part)[:, :, 8:].min() == 1
    with pytest.raises(ValueError, match="the nearest are left 24"):
        run_node(CropLatent(latent=latent, left=21, top=0, width=40, height=96))


def test_masks_go_along_with_every_turn(latent: Latent) -> None:
    assert mask_of(result_of(FlipLatent(latent=latent)))[..., :32].min() == 1
    assert torch.equal(mask_of(result_of(FlipLatent(latent=latent, axis="vertical"))), mask_of(latent))
    assert mask_of(result_of(RotateLatent(latent=latent)))[:, 32:].min() == 1
    assert mask_of(result_of(RotateLatent(latent=latent, degrees="270")))[:, :32].min() == 1


def test_a_latent_laid_over_another_fades_at_its_mask(latent: Latent, other: Latent) -> None:
    mask = torch.zeros(1, 96, 64)
    mask[:, 32:64] = 1
    hard, soft = (
        result_of(CompositeLatents(latent=other, background=latent, mask=Mask(mask), feather=feather))
        for feather in (0, 16)
    )
    assert torch.equal(hard.samples[:, :, 4:8], other.samples[:, :, 4:8])
    assert torch.equal(hard.samples[:, :, 3], latent.samples[:, :, 3])
    assert not torch.equal(soft.samples[:, :, 3], latent.samples[:, :, 3])
    assert torch.equal(soft.samples[:, :, :2], latent.samples[:, :, :2])
    assert mask_of(hard) is mask_of(latent)


def test_a_batch_is_put_together_and_taken_apart(latent: Latent, other: Latent) -> None:
    batch = result_of(BatchLatents(latents=[latent, result_of(RepeatLatent(latent=other, times=2))]))
    assert batch.samples.shape[0] == 3
    first, last = (result_of(PickLatent(latent=batch, number=number)) for number in (0, -1))
    assert torch.equal(first.samples, latent.samples)
    assert torch.equal(mask_of(first), mask_of(latent))
    assert torch.equal(last.samples, other.samples)
    assert mask_of(last).min() == 1
    with pytest.raises(ValueError, match="a batch of 3 does not have 2 from number 2 on"):
        run_node(PickLatent(latent=batch, number=2, count=2))


def test_mixing(latent: Latent, other: Latent) -> None:
    total = result_of(AddLatents(latent=latent, other=other, factor=-0.5))
    torch.testing.assert_close(total.samples, latent.samples - 0.5 * other.samples)
    for way in ("linear", "spherical"):
        mixed = result_of(BlendLatents(latent=latent, other=other, share=0.0, way=way))
        torch.testing.assert_close(mixed.samples, latent.samples)
    assert mask_of(total) is mask_of(latent)


def test_a_noise_mask_is_set_and_taken_away(latent: Latent) -> None:
    mask = Mask(torch.ones(1, 4, 4))
    assert result_of(SetNoiseMask(latent=latent, mask=mask)).noise_mask is mask
    assert result_of(SetNoiseMask(latent=latent)).noise_mask is None
    assert latent.noise_mask is not None


@pytest.mark.parametrize(
    ("node", "settings"),
    [
        (ResizeLatent, {"factor": 1.0}),
        (CropLatent, {"width": 64, "height": 96}),
        (FlipLatent, {}),
        (RotateLatent, {"degrees": "180"}),
        (RepeatLatent, {"times": 1}),
        (PickLatent, {}),
    ],
)
def test_inputs_stay_as_they_are(latent: Latent, node: type[Any], settings: dict[str, Any]) -> None:
    tensors = latent.samples, mask_of(latent)
    before = [(tensor.clone(), tensor._version) for tensor in tensors]
    run_node(node(latent=latent, **settings))
    for tensor, (values, version) in zip(tensors, before, strict=True):
        assert torch.equal(tensor, values)
        assert tensor._version == version
