"""Latents: pictures in the autoencoder's space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType
from graphflow.ports.mask import Mask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Latent(PortType):
    """What a denoiser works on: scaled by the autoencoder's factor, so that its standard deviation is about one."""

    samples: Tensor
    """`[batch, channels, height / reduction, width / reduction]`, float32."""
    reduction: int = 8
    """Picture pixels per latent pixel along one side."""
    noise_mask: Mask | None = None
    """Where a sampler may change the latent, in picture or latent size; None means everywhere."""
    space: str = ""
    """Whose autoencoder's space it is in: `sd`, `sdxl`...; empty for a latent that is empty itself, which fits every model."""

    color: ClassVar[str] = "#f06292"
