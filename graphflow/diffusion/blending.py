"""One picture over another."""

from __future__ import annotations

import torch
from torch import Tensor

from graphflow.diffusion.batches import same_batch
from graphflow.diffusion.blend_modes import BLENDS, BlendMode


def blended(below: Tensor, above: Tensor, *, mode: BlendMode = "normal", amount: float | Tensor = 1.0) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` of one size over others, mixed by a mode.

    `amount`, 0 to 1, says how much of what is above shows: one number, or `[batch, 1, height, width]`. Transparency of both counts, by the
    formulas of W3C's Compositing and Blending Level 1. Raises ValueError for different sizes, or batches that do not go together.
    """
    if below.shape[-2:] != above.shape[-2:]:
        sizes = [f"{pixels.shape[-1]}x{pixels.shape[-2]}" for pixels in (below, above)]
        raise ValueError(f"pictures of {sizes[0]} and {sizes[1]} do not fit over one another; resize one of them first")
    if isinstance(amount, Tensor) and amount.shape[-2:] != below.shape[-2:]:
        mismatch = f"{amount.shape[-1]}x{amount.shape[-2]} does not fit pictures of {below.shape[-1]}x{below.shape[-2]}"
        raise ValueError(f"a mask of {mismatch}; resize the mask to that")
    shares = amount if isinstance(amount, Tensor) else torch.full((1, 1, 1, 1), amount)
    below, above, shares = same_batch({"below": below, "above": above, "mask": shares})
    cover = _alpha(above) * shares.to(above)
    ground = _alpha(below)
    mixed = (1 - ground) * above[:, :3] + ground * BLENDS[mode](below[:, :3], above[:, :3])
    seen = cover * mixed + (1 - cover) * ground * below[:, :3]
    alpha = cover + ground * (1 - cover)
    if below.shape[1] != 4:
        return seen.clamp(0, 1)
    return torch.cat([(seen / alpha.clamp(min=1e-6)).clamp(0, 1), alpha.clamp(0, 1)], dim=1)


def _alpha(pixels: Tensor) -> Tensor:
    return pixels[:, 3:] if pixels.shape[1] == 4 else torch.ones_like(pixels[:, :1])
