"""Masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphflow.ports.base import PortType

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mask(PortType):
    """Where something applies, pixel by pixel."""

    values: Tensor
    """`[batch, height, width]`, float32, 0 (nowhere) to 1 (fully)."""

    color: ClassVar[str] = "#81c784"
