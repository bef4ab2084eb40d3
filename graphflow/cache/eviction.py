"""Which results leave a full disk, and which are worth a place on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

HALF_LIFE = 86_400.0
"""Seconds without use after which a result counts half."""
ENTRY_BYTES = 8192
"""What an entry costs on disk beside its data: a folder and the rest of its last blocks."""
RELOAD_SECONDS = 0.0005
RELOAD_BYTES_PER_SECOND = 400e6
LEAST_SECONDS = 0.001
"""Results made faster than this never go to disk on their own."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored result as eviction sees it."""

    key: str
    seconds: float
    """To make it again."""
    bytes: int
    """On disk."""
    last_used: float
    """Seconds since the epoch."""


def worth(candidate: Candidate) -> float:
    """What a result is worth beside others; the lowest leaves first.

    This is Greedy-Dual-Size (Cherkasova 1998) in the logarithm, with the time of day as its clock: seconds per byte, halved for every
    half-life without use. All results lose alike as time passes, so the order needs no state that processes would have to share.
    """
    return math.log2(max(candidate.seconds, 1e-6) / (candidate.bytes + ENTRY_BYTES)) + candidate.last_used / HALF_LIFE


def victims(candidates: Iterable[Candidate], excess_bytes: int) -> list[str]:
    """Keys to remove, the least worthy first, so that at least `excess_bytes` become free."""
    leaving: list[str] = []
    for candidate in sorted(candidates, key=worth):
        if excess_bytes <= 0:
            break
        leaving.append(candidate.key)
        excess_bytes -= candidate.bytes
    return leaving


def is_worth_disk(seconds: float, size: int) -> bool:
    """Whether a result that took so many seconds is made more slowly than it is read back."""
    return seconds >= LEAST_SECONDS and seconds > RELOAD_SECONDS + size / RELOAD_BYTES_PER_SECOND
