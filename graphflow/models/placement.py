"""Who stays in the device's memory and who leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from graphflow.errors import OutOfMemory
from graphflow.models.devices import Memory

_SHARE_OF_GPU = 0.9
_SHARE_OF_HOST = 0.75


@dataclass(frozen=True)
class Resident:
    """A network in the device's memory."""

    key: str
    bytes: int
    single_pass: bool
    """Whether a picture needs it once (text encoder, VAE), not once per step."""
    last_use: int
    """Counts up with every use."""
    in_use: bool


class Placement(Protocol):
    """Decides, never acts."""

    @property
    def budget(self) -> int:
        """Bytes that weights may take on the device."""

    def leaving(self, residents: Sequence[Resident], *, needed: int, wanted_by: str) -> list[str]:
        """Keys of those that leave so that `needed` more bytes fit. Raises OutOfMemory if they cannot."""


@dataclass(frozen=True)
class BudgetedPlacement:
    """Keeps whole networks within a byte budget.

    Those that work in a single pass leave first, then those unused for longest; a network in use never leaves. Leaving drops
    the device's copy: the file stays the backing store, and the operating system keeps its pages in memory while there is room.
    """

    budget: int

    def leaving(self, residents: Sequence[Resident], *, needed: int, wanted_by: str) -> list[str]:
        """Keys of those that leave, least useful first. Raises OutOfMemory if the budget is too small even without them."""
        excess = sum(resident.bytes for resident in residents) + needed - self.budget
        leaving: list[str] = []
        movable = [resident for resident in residents if not resident.in_use]
        for resident in sorted(movable, key=lambda resident: (not resident.single_pass, resident.last_use)):
            if excess <= 0:
                break
            leaving.append(resident.key)
            excess -= resident.bytes
        if excess > 0:
            in_use = sum(resident.bytes for resident in residents if resident.in_use)
            raise OutOfMemory(
                f"{wanted_by} needs {megabytes(needed)} of weights, but the budget is {megabytes(self.budget)}"
                + (f", of which {megabytes(in_use)} are in use" if in_use else "")
                + "; raise the budget (--vram or GRAPHFLOW_VRAM), or choose a smaller precision (GRAPHFLOW_PRECISION=bf16)"
            )
        return leaving


def default_budget(memory: Memory, *, is_host: bool) -> int:
    """Bytes for weights where no budget is set: most of a GPU's memory, three quarters of the machine's."""
    return int(memory.total * (_SHARE_OF_HOST if is_host else _SHARE_OF_GPU))


def megabytes(count: int) -> str:
    """Bytes for people: `812.5 MB`."""
    return f"{count / 1e9:.2f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"
