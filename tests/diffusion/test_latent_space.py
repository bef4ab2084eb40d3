"""Latents and models of one family, and what is said of two."""

from __future__ import annotations

import pytest
import torch

from graphflow.diffusion import check_latent_space, space_of
from graphflow.ports import Denoiser, Latent, Vae


def vae(family: str) -> Vae:
    return Vae("autoencoder.safetensors", "0", family, "vae")


def latent(space: str) -> Latent:
    return Latent(torch.zeros(1, 4, 8, 8), space=space)


@pytest.mark.parametrize(("one", "other"), [("sd15", "sd2"), ("sdxl", "sdxl_refiner"), ("someones", "someones")])
def test_families_that_share_an_autoencoder_fit(one: str, other: str) -> None:
    check_latent_space(latent(space_of(vae(one))), vae(other))


@pytest.mark.parametrize(("one", "other"), [("sd15", "sdxl"), ("sdxl_refiner", "sd2"), ("sdxl", "someones")])
def test_latents_of_another_family_are_refused_by_name(one: str, other: str) -> None:
    with pytest.raises(
        ValueError, match=rf'one of .*{one}.*"autoencoder.safetensors" \(vae\) is of the family {other}'
    ):
        check_latent_space(latent(space_of(vae(one))), vae(other))


def test_an_empty_latent_fits_every_model() -> None:
    check_latent_space(latent(""), vae("sdxl"))
    check_latent_space(latent("sd"), Denoiser("unnamed", "0", "", "unet"))
