from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from graphflow.diffusion import (
    decode_latents,
    decode_raw,
    draw_noise,
    empty_latents,
    encode_pictures,
    latent_shape,
    latent_size,
    pixels_from_pil,
    posterior,
    to_model_range,
)


def picture(width: int = 16, height: int = 12) -> Image.Image:
    values = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Image.fromarray(values.numpy())


def test_pictures_reach_the_model_as_diffusers_brings_them() -> None:
    expected = VaeImageProcessor(vae_scale_factor=2).preprocess(picture())
    torch.testing.assert_close(to_model_range(pixels_from_pil(picture())), expected, rtol=0, atol=1e-6)


def test_a_draw_equals_the_one_of_diffusers_from_the_same_generator(vae: Any) -> None:
    pixels = pixels_from_pil(picture())
    with torch.no_grad():
        found = vae.encode(to_model_range(pixels)).latent_dist
        expected = found.sample(torch.Generator().manual_seed(3)) * 0.5
    noise = draw_noise(latent_shape(vae, pixels), torch.Generator().manual_seed(3))
    assert noise.shape == (1, 4, 6, 8)
    torch.testing.assert_close(encode_pictures(vae, pixels, scaling_factor=0.5, noise=noise), expected)
    torch.testing.assert_close(encode_pictures(vae, pixels, scaling_factor=0.5), found.mean * 0.5)
    torch.testing.assert_close(posterior(vae, pixels).log_variance, found.logvar)


def test_decoding_undoes_scale_and_shift(vae: Any) -> None:
    latents = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = vae.decode(latents).sample
    scaled = (latents - 0.1) * 0.3
    raw = decode_raw(vae, scaled, scaling_factor=0.3, shift_factor=0.1)
    torch.testing.assert_close(raw, expected, rtol=1e-4, atol=1e-5)
    pixels = decode_latents(vae, scaled, scaling_factor=0.3, shift_factor=0.1)
    torch.testing.assert_close(pixels, (expected / 2 + 0.5).clamp(0, 1), rtol=1e-4, atol=1e-5)


def test_transparency_is_left_out(vae: Any) -> None:
    pixels = pixels_from_pil(picture())
    with_alpha = torch.cat([pixels, torch.zeros(1, 1, 12, 16)], dim=1)
    assert torch.equal(
        encode_pictures(vae, with_alpha, scaling_factor=1.0), encode_pictures(vae, pixels, scaling_factor=1.0)
    )


def test_sizes_that_do_not_fit_are_refused_with_the_nearest(vae: Any) -> None:
    with pytest.raises(
        ValueError, match="17x12 does not fit: both sides must be multiples of 2; the nearest size is 18x12"
    ):
        posterior(vae, torch.zeros(1, 3, 12, 17))
    with pytest.raises(ValueError, match="nearest size is 512x8"):
        empty_latents(width=513, height=3)
    with pytest.raises(ValueError, match=r"\[batch, 3, height, width\], not \[3, 12, 16\]"):
        posterior(vae, torch.zeros(3, 12, 16))
    assert latent_size(512, 768, reduction=8) == (64, 96)
    assert empty_latents(width=64, height=32, batch=2).shape == (2, 4, 4, 8)


def test_latents_of_another_family_are_refused(vae: Any) -> None:
    with pytest.raises(ValueError, match="latents of 16 channels do not fit an autoencoder that takes 4"):
        decode_latents(vae, torch.zeros(1, 16, 4, 4), scaling_factor=1.0)


def test_a_picture_that_is_none_says_whose_fault_it_is(vae: Any) -> None:
    with pytest.raises(ValueError, match="the latent holds numbers that are not finite"):
        decode_raw(vae, torch.full((1, 4, 8, 8), float("nan")), scaling_factor=1.0)
    loud = deepcopy(vae).half().requires_grad_(False)
    loud.decoder.conv_out.weight.fill_(6e4)
    loud.decoder.conv_out.bias.fill_(6e4)
    with pytest.raises(ValueError, match=r"too large for float16, .* bf16 or fp32"):
        decode_raw(loud, torch.randn(1, 4, 8, 8), scaling_factor=1.0)


def test_an_autoencoder_runs_in_its_own_precision(vae: Any) -> None:
    import copy

    half = copy.deepcopy(vae).to(torch.bfloat16, memory_format=torch.channels_last)
    pixels = decode_latents(half, torch.zeros(1, 4, 4, 4), scaling_factor=1.0)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()
