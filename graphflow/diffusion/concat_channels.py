"""What inpainting and depth models take beside the latents: channels of the latents' size (Rombach et al., arXiv 2112.10752)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.batches import same_batch
from graphflow.diffusion.denoise import CONCAT
from graphflow.ports.conditioning import Conditioning

_GRAY = 0.5
"""What an inpainting model sees in place of what is masked: the middle of its range."""


def without_masked(pixels: Tensor, mask: Tensor) -> Tensor:
    """Pictures `[batch, 3, height, width]`, 0 to 1, with gray where a mask `[batch, height, width]` is 0.5 or more.

    Raises ValueError for a mask of another size.
    """
    if mask.shape[-2:] != pixels.shape[-2:]:
        raise ValueError(
            f"a mask of {mask.shape[-1]}x{mask.shape[-2]} does not fit a picture of {pixels.shape[-1]}x{pixels.shape[-2]}; "
            "resize the mask to that"
        )
    pixels, mask = same_batch({"image": pixels, "mask": mask})
    return torch.where((mask >= 0.5).unsqueeze(1), _GRAY, pixels)


def inpaint_channels(mask: Tensor, masked_latents: Tensor) -> Tensor:
    """Channels of an inpainting model: the mask `[batch, height, width]`, hard and on the latent grid, and the latents of the picture without
    what is masked, `[batch, channels, rows, columns]`; together `[batch, 1 + channels, rows, columns]`.
    """
    hard = (mask >= 0.5).to(masked_latents).unsqueeze(1)
    hard, masked_latents = same_batch({"mask": hard, "image": masked_latents})
    return torch.cat([interpolate(hard, masked_latents.shape[-2:]), masked_latents], dim=1)


def depth_channels(depth: Tensor, *, rows: int, columns: int) -> Tensor:
    """The channel of a depth model: `[batch, 1, rows, columns]`, -1 (far) to 1 (near), from depth `[batch, height, width]` in any range.

    Each picture is stretched to the whole range; one of the same depth all over is far.
    """
    small = interpolate(depth.unsqueeze(1), (rows, columns), mode="bicubic", align_corners=False)
    low, high = small.amin(dim=(1, 2, 3), keepdim=True), small.amax(dim=(1, 2, 3), keepdim=True)
    return 2 * (small - low) / (high - low).clamp_min(1e-6) - 1


def with_channels(conditioning: Conditioning, channels: Tensor) -> Conditioning:
    """Prompts that bring channels `[batch or 1, channels, rows, columns]` for the denoiser along."""
    return Conditioning(
        tuple(replace(entry, extra={**entry.extra, CONCAT: channels}) for entry in conditioning.entries)
    )
