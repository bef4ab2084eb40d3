"""Noise levels that training draws, and how much the loss at each one counts; plain functions of tensors `[batch]`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LossWeight = Callable[[Tensor], Tensor]
"""`sigma -> weight` of the squared error of the clean estimate."""


def lognormal_sigmas(normal: Tensor, *, mean: float = -1.2, deviation: float = 1.2) -> Tensor:
    """Levels from standard normal draws, whose logarithm is normal (Karras et al., arXiv 2206.00364, table 1)."""
    return (mean + deviation * normal).exp()


def table_sigmas(places: Tensor, table: Tensor) -> Tensor:
    """Levels from places in a table `[levels]`; places, int64, are drawn evenly by the caller."""
    return table[places]


def constant_sigmas(count: int, *, sigma: float = 1e-5) -> Tensor:
    """The same level for everyone: almost none, for conditioning that is noised in training only."""
    return torch.full((count,), sigma)


def even_weight(sigma: Tensor) -> Tensor:
    """All levels count alike."""
    return torch.ones_like(sigma)


def edm_weight(sigma: Tensor, *, data_deviation: float = 0.5) -> Tensor:
    """Every level's loss is one for an untrained network (Karras et al., arXiv 2206.00364, table 1)."""
    return (sigma**2 + data_deviation**2) / (sigma * data_deviation) ** 2


def epsilon_weight(sigma: Tensor) -> Tensor:
    """What makes the loss the error of the noise (Ho et al., arXiv 2006.11239, equation 14)."""
    return sigma**-2.0


def velocity_weight(sigma: Tensor) -> Tensor:
    """What makes the loss the error of the velocity (Salimans and Ho, arXiv 2202.00512)."""
    return edm_weight(sigma, data_deviation=1.0)
