"""Small pictures of unfinished latents, without the autoencoder.

A projection has a row of red, green and blue for each latent channel, and after them one row that is added to the sum; colours are -1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.latent_space import space_of
from graphflow.ports.image import Image
from graphflow.ports.model import Denoiser, Projection

_SD: Projection = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
    (0.0, 0.0, 0.0),
)
"""Published for Stable Diffusion 1 at https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204."""

_SDXL: Projection = (
    (0.471, 0.471, 0.471),
    (-0.471, -0.039, 0.078),
    (0.196, 0.118, -0.039),
    (-0.549, -0.392, -0.275),
    (0.176, 0.098, 0.020),
)
"""Published for Stable Diffusion XL, in colours from 0 to 255, at
https://huggingface.co/blog/TimothyAlexisVass/explaining-the-sdxl-latent-space."""

PROJECTIONS: Mapping[str, Projection] = {"sd": _SD, "sdxl": _SDXL}
"""Projections by the space of latents, which families with one autoencoder share."""


def projection_of(denoiser: Denoiser) -> Projection | None:
    """The projection of the model's own autoencoder where its file brings one, else its family's; None where there is none."""
    projection = denoiser.preview or PROJECTIONS.get(space_of(denoiser))
    return projection if projection is not None and len(projection) == denoiser.latent_channels + 1 else None


def preview_image(latents: Tensor, *, projection: Projection) -> Image:
    """The latents `[batch, channels, height, width]` as pictures of the same, small size, on the CPU.

    Raises ValueError when the projection is for another number of channels.
    """
    if latents.shape[1] != len(projection) - 1:
        raise ValueError(f"this preview is for latents of {len(projection) - 1} channels, not {latents.shape[1]}")
    *rows, shift = torch.tensor(projection, device=latents.device)
    colours = torch.einsum("bchw,cr->brhw", latents.float(), torch.stack(rows)) + shift[:, None, None]
    return Image((colours / 2 + 0.5).clamp(0, 1).cpu())


def fit_projection(latents: Tensor, pixels: Tensor) -> Projection:
    """The projection that comes nearest, in least squares, to pictures `[batch, 3, height, width]`, 0 to 1, whose latents these are.

    `latents` `[batch, channels, height / reduction, width / reduction]` as `vae.encode_pictures` gives them.
    """
    small = interpolate(pixels.float(), size=latents.shape[-2:], mode="area") * 2 - 1
    values = latents.double().movedim(1, -1).flatten(0, -2)
    ones = torch.ones_like(values[:, :1])
    wanted = small.double().movedim(1, -1).flatten(0, -2)
    found = torch.linalg.lstsq(torch.cat([values, ones], dim=1), wanted).solution
    return tuple((round(red, 4), round(green, 4), round(blue, 4)) for red, green, blue in found.tolist())
