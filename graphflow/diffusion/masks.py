"""Masks and areas on the latent grid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from graphflow.ports.mask import Mask

Area = tuple[float, float, float, float]


def latent_mask(mask: Mask, *, height: int, width: int) -> Tensor:
    """The mask on a latent grid: `[batch, 1, height, width]`, float32, 0 to 1; each value is the mean of the pixels it covers."""
    values = mask.values.to(torch.float32)
    if values.ndim != 3:
        raise ValueError(f"a mask has the shape [batch, height, width], not {list(values.shape)}")
    return adaptive_avg_pool2d(values.unsqueeze(1), (height, width))


def area_mask(area: Area, *, height: int, width: int) -> Tensor:
    """1 inside an area, 0 outside: `[1, 1, height, width]`, float32. At least one latent pixel is inside.

    `area` is left, top, right, bottom as shares of the picture. Raises ValueError when they are out of range or out of order.
    """
    left, top, right, bottom = area
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(
            f"the area {area} is not inside the picture; use left, top, right, bottom from 0 to 1 with left < right and top < bottom"
        )
    inside = torch.zeros(1, 1, height, width)
    rows, columns = _span(top, bottom, height), _span(left, right, width)
    inside[:, :, rows, columns] = 1.0
    return inside


def _span(first: float, last: float, size: int) -> slice:
    begin = min(round(first * size), size - 1)
    return slice(begin, max(round(last * size), begin + 1))
