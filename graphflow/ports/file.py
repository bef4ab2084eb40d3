"""Files that a run has made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphflow.ports.base import PortType


@dataclass(frozen=True, eq=False)
class File(PortType):
    """An artifact in graphflow's artifact folder."""

    name: str
    """Path inside the artifact folder, with forward slashes; unique, never reused for other bytes."""
    media_type: str
    """Such as `image/png`."""
    size: int
    """Bytes."""
    digest: str
    """blake3 of the bytes, hexadecimal."""

    color: ClassVar[str] = "#a1887f"


@dataclass(frozen=True, eq=False)
class ImageFile(File):
    """A saved picture."""

    width: int = 0
    """Pixels."""
    height: int = 0
    """Pixels."""
