from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion import (
    PROJECTIONS,
    encode_pictures,
    fit_projection,
    pixels_from_pil,
    preview_image,
    projection_of,
)
from graphflow.errors import ModelMismatch
from graphflow.models.detect import detect
from graphflow.paths import bundled
from graphflow.ports import Denoiser
from graphflow.ports.model import Projection
from graphflow.zoo import bundled_models
from graphflow.zoo.scenes import scene_from_seed
from graphflow.zoo.vocabulary import COLOURS

TINY_SD = bundled_models()["tiny-sd"]


def pictures(seeds: range) -> Tensor:
    """Drawn scenes `[batch, 3, 128, 128]`, 0 to 1."""
    drawn = np.stack([scene_from_seed(seed)[0].draw() for seed in seeds])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(TINY_SD / "vae", torch_dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    recipe = detect(TINY_SD).parts["unet"].recipe
    assert isinstance(recipe, Denoiser)
    return recipe


def latents_of(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    return encode_pictures(vae, pixels, scaling_factor=vae.config.scaling_factor)


@pytest.mark.parametrize("space", PROJECTIONS)
def test_a_preview_is_small_and_in_range(space: str) -> None:
    latents = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0)) * 5
    image = preview_image(latents, projection=PROJECTIONS[space])
    assert image.pixels.shape == (2, 3, 6, 5)
    assert 0 <= float(image.pixels.min()) <= float(image.pixels.max()) <= 1
    assert float(image.pixels.std()) > 0.1


def test_rows_are_channels_and_the_last_one_is_added() -> None:
    projection: Projection = ((1.0, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, -1.0))
    latents = torch.tensor([0.5, 1.0]).reshape(1, 2, 1, 1)
    assert preview_image(latents, projection=projection).pixels.flatten().tolist() == [0.75, 0.75, 0.0]
    with pytest.raises(ValueError, match="for latents of 2 channels, not 4"):
        preview_image(torch.zeros(1, 4, 1, 1), projection=projection)


def test_a_projection_is_found_again_from_its_own_colours() -> None:
    projection: Projection = ((0.2, 0.1, 0.0), (-0.1, 0.2, 0.1), (0.05, -0.05, 0.1))
    latents = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    small = preview_image(latents, projection=projection).pixels
    assert np.allclose(fit_projection(latents, interpolate(small, scale_factor=4)), projection, atol=1e-3)


def test_a_model_with_its_own_autoencoder_brings_its_own_projection(denoiser: Denoiser) -> None:
    assert denoiser.preview is not None
    assert projection_of(denoiser) == denoiser.preview
    assert projection_of(Denoiser("a", "b", "sdxl", "unet")) == PROJECTIONS["sdxl"]
    assert projection_of(Denoiser("a", "b", "sd2", "unet")) == PROJECTIONS["sd"]
    assert projection_of(Denoiser("a", "b", "another", "unet")) is None
    assert projection_of(Denoiser("a", "b", "sd15", "unet", latent_channels=16)) is None


def test_the_bundled_projection_is_the_one_that_fits_the_bundled_model(vae: AutoencoderKL, denoiser: Denoiser) -> None:
    pixels = pictures(range(64))
    assert np.allclose(fit_projection(latents_of(vae, pixels), pixels), denoiser.preview, atol=0.08)


def test_the_bundled_models_preview_looks_like_the_picture(vae: AutoencoderKL, denoiser: Denoiser) -> None:
    assert denoiser.preview is not None
    pixels = pictures(range(1000, 1016))
    preview = preview_image(latents_of(vae, pixels), projection=denoiser.preview).pixels
    seen = interpolate(pixels, size=(16, 16), mode="area")
    assert np.corrcoef(preview.flatten(), seen.flatten())[0, 1] > 0.9


def test_a_red_circle_is_red_in_its_preview(vae: AutoencoderKL, denoiser: Denoiser) -> None:
    assert denoiser.preview is not None
    with Image.open(bundled("workflows") / "inputs" / "red_circle_on_sand.png") as picture:
        pixels = pixels_from_pil(picture)
    palette = torch.tensor(list(COLOURS.values())) / 255
    preview = preview_image(latents_of(vae, pixels), projection=denoiser.preview).pixels[0]
    is_circle = nearest(interpolate(pixels, size=(16, 16), mode="area")[0], palette) == list(COLOURS).index("red")
    assert 8 < int(is_circle.sum()) < 100
    inside = preview[:, is_circle].mean(dim=1)
    assert list(COLOURS)[int(nearest(inside[:, None, None], palette))] == "red"


def nearest(pixels: Tensor, palette: Tensor) -> Tensor:
    """Index of the nearest colour for each pixel of `[3, height, width]`."""
    return (pixels[None] - palette[:, :, None, None]).norm(dim=1).argmin(dim=0)


@pytest.mark.parametrize("rows", [[[1, 2, 3]], [[1, 2]] * 5, [["red", 0, 0]] * 5, 7])
def test_a_projection_of_another_form_is_refused(rows: object) -> None:
    with pytest.raises(ModelMismatch, match="must be 5 rows of red, green and blue"):
        detect(TINY_SD, {"preview": {"projection": rows}})
