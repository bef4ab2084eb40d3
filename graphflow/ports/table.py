"""Tables of figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphflow.ports.base import PortType

Cell = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Table(PortType):
    """Rows under named columns, as an evaluation gives them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """As many cells in each row as there are columns."""

    color: ClassVar[str] = "#90a4ae"
