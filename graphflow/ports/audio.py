"""Sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Audio(PortType):
    """A stretch of sound."""

    samples: Tensor
    """`[channels, samples]`, float32, -1 to 1."""
    sample_rate: int
    """Samples per second, above 0."""

    color: ClassVar[str] = "#4db6ac"
