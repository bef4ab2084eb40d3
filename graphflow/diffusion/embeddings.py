"""Sinusoidal embeddings of single numbers, as networks take times, sizes and angles (Vaswani et al., arXiv 1706.03762)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MAX_PERIOD = 10_000.0


def sinusoid(numbers: Tensor, width: int, *, max_period: float = MAX_PERIOD) -> Tensor:
    """`[count]` numbers as `[count, width]`, float32: cosines, then sines; an odd width ends with a zero."""
    half = width // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, dtype=torch.float32) / half)
    angles = numbers.float()[:, None] * frequencies.to(numbers.device)
    return functional.pad(torch.cat([angles.cos(), angles.sin()], dim=-1), (0, width % 2))


def embed_numbers(numbers: Tensor, width: int) -> Tensor:
    """`[batch, count]` or `[batch]` numbers as `[batch, count * width]`, each embedded on its own, in order."""
    return sinusoid(numbers.flatten(), width).reshape(len(numbers), -1)
