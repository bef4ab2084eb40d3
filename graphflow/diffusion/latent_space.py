"""Which models share their latents: a sampler and an autoencoder must mean the same by the same numbers."""

from __future__ import annotations

from graphflow.models.detectors.families import DIFFUSION_FAMILIES
from graphflow.ports.latent import Latent
from graphflow.ports.model import ModelRecipe

_SPACES = {family.name: family.latent_space for family in DIFFUSION_FAMILIES}


def space_of(model: ModelRecipe) -> str:
    """Name of the space of a model's latents; a family that graphflow does not know has its own."""
    return _SPACES.get(model.family, model.family)


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
    return " and ".join(name for name, its in _SPACES.items() if its == space) or space
