"""Changing a latent inside a mask only, with any denoiser."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphflow.diffusion.forward import add_noise
from graphflow.diffusion.masks import latent_mask
from graphflow.diffusion.schedules import Schedule
from graphflow.ports.mask import Mask

_ROUNDING = 1e-4
"""A mask that fades or was resized is not quite 1 where it is meant to be."""


@dataclass(frozen=True, eq=False)
class KeptOutside:
    """Puts the original back outside a mask after each step, at the noise level of that step (Lugmayr et al., arXiv 2201.09865).

    The original is noised with the same noise each time, so that it comes out of the last step unchanged. Where the mask is between 0 and
    1, the original is put back for a part of the schedule only (Levin and Fried, arXiv 2306.00950): a spot of 0.3 changes during the
    last 30 % of the steps, as far as a strength of 0.3 changes a picture.
    """

    original: Tensor
    """`[batch, channels, height, width]`, float32, without noise."""
    noise: Tensor
    """Of the same shape."""
    mask: Tensor
    """`[batch or 1, 1, height, width]`, 1 where the sampler may change the latent."""

    @classmethod
    def of(cls, original: Tensor, *, noise: Tensor, mask: Mask) -> KeptOutside:
        """From a mask of any size and a batch of one or as many as there are latents. Raises ValueError for another batch."""
        batch, _, height, width = original.shape
        values = latent_mask(mask, height=height, width=width).to(original.device)
        if values.shape[0] not in (1, batch):
            raise ValueError(
                f"a noise mask of {values.shape[0]} pictures does not fit {batch} latents; use 1 or {batch}"
            )
        return cls(original, noise.to(original), values)

    def __call__(self, latents: Tensor, schedule: Schedule, call: int) -> Tensor:
        """The latents as they enter a call (or, after the last one, as they leave), with the original where it is kept."""
        kept, calls = self.original.to(latents), len(schedule.timesteps)
        if call < calls:
            kept = add_noise(kept, self.noise.to(latents), sigma=schedule.sigma(call), scale=schedule.sampler.scale)
        # A spot of 0.3 enters the last 30 % of the calls as the original, and is free from the first of them on.
        free_from = min(calls - call + 1, calls) / calls
        return torch.where(self.mask.to(latents) >= free_from - _ROUNDING, latents, kept)
