"""Batches that work together: as many pictures each, or one for all."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def same_batch(tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """The tensors with one batch, in order: a batch of one serves all pictures (without copies).

    Keys name the tensors in the error. Raises ValueError when two batches differ and neither is one.
    """
    batch = max((tensor.shape[0] for tensor in tensors.values()), default=1)
    if any(tensor.shape[0] not in (1, batch) for tensor in tensors.values()):
        sizes = ", ".join(f"{name} {tensor.shape[0]}" for name, tensor in tensors.items())
        raise ValueError(f"batches of different sizes do not go together ({sizes}); use one size, or 1")
    return tuple(
        tensor if tensor.shape[0] == batch else tensor.expand(batch, *tensor.shape[1:]) for tensor in tensors.values()
    )
