"""Which models share their latents: a sampler and an autoencoder must mean the same by the same numbers."""

from __future__ import annotations

from dataclasses import replace

from graphflow.models.detectors.families import DIFFUSION_FAMILIES
from graphflow.ports.latent import Latent
from graphflow.ports.model import ModelRecipe, Vae

_FAMILIES = {family.name: family for family in DIFFUSION_FAMILIES}


def space_of(model: ModelRecipe) -> str:
    """Name of the space of a model's latents; a family that graphflow does not know has its own."""
    family = _FAMILIES.get(model.family)
    return model.family if family is None else family.latent_space


def check_latent_space(latent: Latent, model: ModelRecipe) -> None:
    """Raise ValueError if a denoiser or an autoencoder is of another family than the model that made the latent.

    Latents of different families have the same shapes, so nothing else would tell; the colours would be wrong.
    """
    wanted = space_of(model)
    if latent.space and wanted and latent.space != wanted:
        raise ValueError(
            f'the latent is one of {_families(latent.space)}, but "{model.file}" ({model.part}) is of the family {model.family}, whose latents '
            "mean other colours. Take all parts from models of one family; if a VAE or UNet file that comes without its "
            "configuration was taken for another family than its own, choose its family in the node that loads it"
        )


def _families(space: str) -> str:
    return " and ".join(family.name for family in _FAMILIES.values() if family.latent_space == space) or space


def vae_of_family(vae: Vae, family: str) -> Vae:
    """The autoencoder as one of that family, `sd15`, `sd2` or `sdxl`, with the published scale of its latents.

    For a file that comes without its configuration: autoencoders of these families have the same shapes.
    """
    return replace(vae, family=family, scaling_factor=_FAMILIES[family].scaling_factor, shift_factor=0.0)
