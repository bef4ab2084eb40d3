"""Weights that are no numbers: NaN and infinity are found while a network is loaded, before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def extremes(values: Tensor) -> Tensor:
    """Least and greatest value, `[2]`, float32, on the tensor's device: finite where all values are, as NaN is passed on.

    One pass at the speed of memory where the tensor is contiguous, several times faster than asking each value.
    """
    if values.numel() == 0 or not values.is_floating_point():
        return torch.zeros(2, device=values.device)
    least, greatest = torch.aminmax(values)
    return torch.stack((least, greatest)).float()


def broken_names(found: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors with these extremes that hold NaN or infinity; asks the device once for all of them."""
    if not found:
        return []
    finite = torch.isfinite(torch.stack(list(found.values()))).all(dim=1).tolist()
    return [name for name, is_finite in zip(found, finite, strict=True) if not is_finite]
