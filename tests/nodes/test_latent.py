from __future__ import annotations

from typing import Any

import pytest
import torch
from graphflow.packs.builtin.latent.empty_latent import EmptyLatent
from graphflow.packs.builtin.latent.vae_decode import VaeDecode
from graphflow.packs.builtin.latent.vae_encode import VaeEncode

from graphflow import Denoiser, Image, Latent, Mask, Vae
from graphflow.testing import FakeContext, run_node


def test_an_empty_latent_takes_its_kind_and_size_from_the_model(denoiser: Denoiser) -> None:
    latent = run_node(EmptyLatent(denoiser=denoiser))["latent"]
    assert latent.samples.shape == (1, 4, 8, 8)
    assert latent.reduction == 2


def test_without_a_model_it_is_stable_diffusions() -> None:
    latent = run_node(EmptyLatent(height=256, batch=3))["latent"]
    assert latent.samples.shape == (3, 4, 32, 64)
    assert not latent.samples.any()


def test_a_side_that_does_not_fit_names_the_nearest_size() -> None:
    with pytest.raises(ValueError, match="multiples of 8; the nearest size is 512x104"):
        run_node(EmptyLatent(height=103))


def test_encoding_gives_scaled_means(ctx: FakeContext, modules: dict[str, Any], picture: Image, vae: Vae) -> None:
    latent = run_node(VaeEncode(image=picture, vae=vae), ctx)["latent"]
    with torch.no_grad():
        expected = modules["vae"].encode(picture.pixels * 2 - 1).latent_dist.mean * vae.scaling_factor
    assert latent.reduction == 2
    torch.testing.assert_close(latent.samples, expected)


def test_a_drawn_latent_depends_on_its_seed_alone(ctx: FakeContext, picture: Image, vae: Vae) -> None:
    first, again, other = (
        run_node(VaeEncode(image=picture, vae=vae, draw=True, seed=seed), ctx)["latent"].samples for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_noise_mask_travels_with_the_latent(ctx: FakeContext, picture: Image, vae: Vae) -> None:
    mask = Mask(torch.ones(1, 16, 16))
    assert run_node(VaeEncode(image=picture, vae=vae, noise_mask=mask), ctx)["latent"].noise_mask is mask


def test_a_picture_that_does_not_fit_names_the_nearest_size(ctx: FakeContext, vae: Vae) -> None:
    with pytest.raises(ValueError, match="the nearest size is 16x16"):
        run_node(VaeEncode(image=Image(torch.zeros(1, 3, 16, 15)), vae=vae), ctx)


def test_decoding_gives_pixels(ctx: FakeContext, vae: Vae) -> None:
    latent = Latent(torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), 2)
    pixels = run_node(VaeDecode(latent=latent, vae=vae), ctx)["image"].pixels
    assert pixels.shape == (2, 3, 16, 16)
    assert pixels.dtype == torch.float32
    assert 0 <= pixels.min() < pixels.max() <= 1


@pytest.fixture
def picture() -> Image:
    return Image(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("node", [VaeDecode, VaeEncode])
def test_tiles_are_counted_and_impossible_ones_refused(
    node: type[VaeDecode] | type[VaeEncode], ctx: FakeContext, vae: Vae
) -> None:
    given: dict[str, Any] = (
        {"latent": Latent(torch.zeros(1, 4, 24, 16), 2)}
        if node is VaeDecode
        else {"image": Image(torch.zeros(1, 3, 48, 32))}
    )
    whole, tiled = (run_node(node(vae=vae, tile=tile, overlap=8, **given), ctx) for tile in (0, 32))
    (before,), (after,) = whole.values(), tiled.values()
    assert (after.pixels if node is VaeDecode else after.samples).shape == (
        before.pixels if node is VaeDecode else before.samples
    ).shape
    assert [(report.done, report.total) for report in ctx.progress_reports] == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="use at most 16"):
        run_node(node(vae=vae, tile=32, overlap=17, **given), ctx)
