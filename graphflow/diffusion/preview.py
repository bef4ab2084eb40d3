"""Small pictures of unfinished latents, without the autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor

from graphflow.ports.image import Image

SD15_PROJECTION: tuple[tuple[float, float, float], ...] = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
"""Red, green and blue (-1 to 1) of each latent channel of Stable Diffusion 1: an approximation of its decoder that was published at
https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204."""


def preview_image(latents: Tensor, *, projection: tuple[tuple[float, float, float], ...] = SD15_PROJECTION) -> Image:
    """The latents `[batch, channels, height, width]` as pictures of the same, small size, by a linear projection to colours.

    Raises ValueError when the projection is for another number of channels.
    """
    if latents.shape[1] != len(projection):
        raise ValueError(f"this preview is for latents of {len(projection)} channels, not {latents.shape[1]}")
    factors = torch.tensor(projection, device=latents.device)
    colours = torch.einsum("bchw,cr->brhw", latents.float(), factors)
    return Image((colours / 2 + 0.5).clamp(0, 1).cpu())
