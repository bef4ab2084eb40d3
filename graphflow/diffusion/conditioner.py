"""What several embedders make of a picture's description, joined into the inputs of one network.

Embedders run in order; each has a name and makes tensors. A tensor's rank says where it goes, and what goes to one place is joined:

    [batch, width]                  vector      joined on the width
    [batch, tokens, width]          crossattn   joined on the width
    [batch, channels, height, width]  concat    joined on the channels
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

VECTOR, TOKENS, CHANNELS = "vector", "crossattn", "concat"

_PLACES = {2: (VECTOR, 1), 3: (TOKENS, 2), 4: (CHANNELS, 1)}
"""Place and axis of joining, by rank."""
_OWN_PLACES = ("cond_view", "cond_motion")
"""Names of embedders whose tensors have a place of their own, joined on axis 1."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """What one embedder made."""

    name: str
    """Name of its input, such as `txt`."""
    tensors: Sequence[Tensor]


def join_embedded(embedded: Iterable[Embedded], *, zeroed: Collection[str] = ()) -> dict[str, Tensor]:
    """Tensors by place in the network; those of the embedders named in `zeroed` count as zeros.

    Zeroing some embedders gives the unconditional half of a pair. Raises ValueError for a tensor of a rank that has no place.
    """
    gathered: dict[str, tuple[int, list[Tensor]]] = {}
    for each in embedded:
        for tensor in each.tensors:
            place, axis = _place(each.name, tensor)
            value = torch.zeros_like(tensor) if each.name in zeroed else tensor
            gathered.setdefault(place, (axis, []))[1].append(value)
    return {place: torch.cat(tensors, dim=axis) for place, (axis, tensors) in gathered.items()}


def _place(name: str, tensor: Tensor) -> tuple[str, int]:
    if name in _OWN_PLACES:
        return name, 1
    if tensor.ndim not in _PLACES:
        raise ValueError(
            f'the embedder of "{name}" made a tensor of shape {list(tensor.shape)}; accepted are 2 to 4 dimensions'
        )
    return _PLACES[tensor.ndim]


def draw_kept(batch: int, rate: float, generator: Generator | None = None) -> Tensor:
    """For each sample whether its conditioning is kept while training, `[batch]`, 1 or 0; dropped with probability `rate`.

    Dropping teaches a network what classifier-free guidance needs (Ho and Salimans, arXiv 2207.12598).
    """
    return torch.bernoulli(torch.full((batch,), 1 - rate), generator=generator)


def keep_samples(tensor: Tensor, kept: Tensor) -> Tensor:
    """`[batch, ...]` with the samples that are not kept, `[batch]`, set to zero."""
    return tensor * kept.to(tensor).reshape(-1, *[1] * (tensor.ndim - 1))
