"""Results in RAM, limited by bytes.

Who leaves is decided by Greedy-Dual-Size-Frequency (Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency
Caching Policy", HP Labs 1998): priority = clock + uses * seconds to make again / bytes. The lowest leaves, and the clock rises to
its priority, so that what is no longer asked for ages.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from graphflow.cache.fan import Needs
from graphflow.cache.snapshot import plain_size, size_of, snapshot

ENTRY_BYTES = 512
"""What an entry costs beside its value."""
LEAST_SECONDS = 1e-7
"""Counted for results that took no time, so that their uses still matter."""


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """Figures of the RAM tier since it was made."""

    entries: int
    bytes: int
    limit_bytes: int
    hits: int
    misses: int
    evictions: int


class _Entry:
    __slots__ = ("bytes", "needs", "plain", "priority", "seconds", "serial", "uses", "value")

    def __init__(
        self, value: Any, seconds: float, size: int, needs: Needs, plain: bool, serial: int, priority: float
    ) -> None:
        self.value = value
        self.seconds = seconds
        self.bytes = size
        self.needs = needs
        self.plain = plain
        self.serial = serial
        self.uses = 1
        self.priority = priority


class MemoryTier:
    """Results by key, private to the tier: `put` keeps a copy and `get` gives one. Safe to use from any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._entries: dict[str, _Entry] = {}
        # (priority when pushed, serial, key). Priorities only rise, so the pushed one is a lower bound, raised on popping.
        # Made when the tier is full for the first time; until then nobody has to leave.
        self._heap: list[tuple[float, int, str]] | None = None
        self._lock = threading.Lock()
        self._clock = 0.0
        self._bytes = 0
        self._serial = 0
        self._hits = self._misses = self._evictions = 0

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def contains(self, key: str) -> bool:
        """Whether the key's result is here."""
        return key in self._entries

    def needs_of(self, key: str) -> Needs | None:
        """What the key's result stands on, as `keep` was told; None when the result is not here."""
        entry = self._entries.get(key)
        return None if entry is None else entry.needs

    def get(self, key: str) -> Any:
        """A copy of the key's result, or None when it is not here."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            entry.uses += 1
            entry.priority = self._clock + entry.uses * entry.seconds / entry.bytes
        return dict(entry.value) if entry.plain else snapshot(entry.value)

    def put(self, key: str, value: Any, *, seconds: float) -> bool:
        """Keep a copy of a result that took so many seconds; False when it is larger than the limit.

        Raises CannotEncode when it cannot be copied.
        """
        size = plain_size(value)
        if size is not None:
            return self.keep(key, dict(value), seconds=seconds, size=size, plain=True)
        return self.keep(key, snapshot(value, on_cpu=True), seconds=seconds, size=size_of(value))

    def keep(self, key: str, value: Any, *, seconds: float, size: int, needs: Needs = (), plain: bool = False) -> bool:
        """Keep a value that nobody else will change, of so many bytes; False when it is larger than the limit.

        `plain` promises a dict of immutable values, of which `dict(value)` is a full copy.
        """
        size += ENTRY_BYTES
        if size > self.limit_bytes:
            self.remove(key)
            return False
        if seconds < LEAST_SECONDS:
            seconds = LEAST_SECONDS
        with self._lock:
            if key in self._entries:
                self._forget(key)
            self._bytes += size
            if self._bytes > self.limit_bytes:
                self._evict()
            self._serial = serial = self._serial + 1
            priority = self._clock + seconds / size
            self._entries[key] = _Entry(value, seconds, size, needs, plain, serial, priority)
            if self._heap is not None:
                heappush(self._heap, (priority, serial, key))
                if len(self._heap) > 64 + 2 * len(self._entries):
                    self._heap = self._ranked()
        return True

    def remove(self, key: str) -> None:
        """Forget the key's result."""
        with self._lock:
            self._forget(key)

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._entries.clear()
            self._heap = None
            self._bytes = 0

    def stats(self) -> MemoryStats:
        """Figures at this moment."""
        with self._lock:
            return MemoryStats(
                len(self._entries), self._bytes, self.limit_bytes, self._hits, self._misses, self._evictions
            )

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.bytes

    def _evict(self) -> None:
        heap = self._heap = self._ranked() if self._heap is None else self._heap
        while self._bytes > self.limit_bytes and heap:
            priority, serial, key = heappop(heap)
            entry = self._entries.get(key)
            if entry is None or entry.serial != serial:
                continue
            if entry.priority > priority:
                heappush(heap, (entry.priority, serial, key))
                continue
            self._forget(key)
            self._clock = priority
            self._evictions += 1

    def _ranked(self) -> list[tuple[float, int, str]]:
        heap = [(entry.priority, entry.serial, key) for key, entry in self._entries.items()]
        heapify(heap)
        return heap


def default_memory_limit() -> int:
    """A tenth of the machine's memory, in bytes."""
    import psutil

    return int(psutil.virtual_memory().total) // 10
