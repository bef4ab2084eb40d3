"""Several pictures in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphflow.diffusion.alpha import with_alpha


def joined_pictures(pictures: Sequence[Tensor]) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` of one size as one batch; if one has transparency, all have.

    Raises ValueError for none, or for different sizes.
    """
    if not pictures:
        raise ValueError("there is no picture to join; link at least one")
    sizes = list(dict.fromkeys(f"{pixels.shape[-1]}x{pixels.shape[-2]}" for pixels in pictures))
    if len(sizes) > 1:
        raise ValueError(f"pictures in one batch have one size, not {', '.join(sizes)}; resize them first")
    if any(pixels.shape[1] == 4 for pixels in pictures):
        pictures = [with_alpha(pixels) for pixels in pictures]
    return torch.cat(list(pictures))


def picked_pictures(pixels: Tensor, *, first: int, count: int) -> Tensor:
    """So many pictures of a batch from the given one on; -1 is the last one. Raises ValueError for pictures that it does not have."""
    batch = len(pixels)
    start = first + batch if first < 0 else first
    if not 0 <= start < start + count <= batch:
        raise ValueError(f"{count} from number {first} on are not in a batch of {batch}; the first one is 0")
    return pixels[start : start + count].contiguous()
