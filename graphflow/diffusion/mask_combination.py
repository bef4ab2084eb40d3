"""Several masks as one, and masks in other sizes. Masks are `[batch, height, width]`, float32, 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from graphflow.diffusion.batches import same_batch
from graphflow.diffusion.edit_choices import MaskCombination

_RULES: dict[MaskCombination, Callable[[Tensor, Tensor], Tensor]] = {
    "union": torch.maximum,
    "intersection": torch.minimum,
    "difference": lambda first, other: torch.minimum(first, 1 - other),
    "exclusion": lambda first, other: torch.maximum(torch.minimum(first, 1 - other), torch.minimum(other, 1 - first)),
}


def combine_masks(masks: list[Tensor], how: MaskCombination) -> Tensor:
    """Masks of one size, joined in order, as fuzzy sets are (Zadeh, Fuzzy Sets, 1965).

    `union`: in any; `intersection`: in all; `difference`: in the first and no other; `exclusion`: in one or the other, not in both.
    Raises ValueError for no mask, another rule, or sizes or batches that differ.
    """
    if not masks:
        raise ValueError("there is no mask to combine; link at least one")
    if how not in _RULES:
        raise ValueError(f'masks have no combination "{how}"; use one of {", ".join(_RULES)}')
    sizes = [f"{mask.shape[-1]}x{mask.shape[-2]}" for mask in masks]
    if len(set(sizes)) > 1:
        raise ValueError(f"masks of different sizes do not go together ({', '.join(sizes)}); resize them to one size")
    together = same_batch({f"mask {number}": mask for number, mask in enumerate(masks, 1)})
    return reduce(_RULES[how], together).clone()
