"""The cache as the engine sees it: results by key, in RAM and on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphflow.authoring.describe import CachePolicy
from graphflow.cache.disk import DiskStats, DiskTier
from graphflow.cache.eviction import is_worth_disk
from graphflow.cache.fan import Fan, Needs
from graphflow.cache.kinds import CannotEncode, kind_of
from graphflow.cache.memory import MemoryStats, MemoryTier
from graphflow.cache.snapshot import plain_size, size_of, snapshot
from graphflow.cache.writer import BackgroundWriter, PendingWrite
from graphflow.ports.file import File

log = logging.getLogger("graphflow.cache")

Explain = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
QUEUE_BYTES = 512 * 2**20
"""Results that may wait for the disk."""
_REMEMBERED = 100_000
"""Disk entries whose needs are remembered."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Figures of both tiers."""

    memory: MemoryStats
    disk: DiskStats


class ResultCache:
    """Both tiers behind one door. Safe to use from any thread; what is given and taken is never shared.

    Policies: `auto` is RAM, and disk when a result takes longer to make than to read; `disk` is RAM and disk; `never` is nowhere.
    A result that speaks of artifacts counts as present only while all of them exist.
    """

    def __init__(
        self,
        memory: MemoryTier,
        disk: DiskTier,
        *,
        artifact_exists: Callable[[str], bool] = lambda name: True,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.memory = memory
        self.disk = disk
        self._artifact_exists = artifact_exists
        self._writer = BackgroundWriter(self._write, queue_bytes)
        self._disk_needs: dict[str, Needs] = {}
        self._told: set[str] = set()

    def contains(self, key: str) -> bool:
        """Whether `get` would give a result."""
        needs = self.memory.needs_of(key)
        if needs is None:
            needs = self._needs_on_disk(key)
        return needs is not None and self._are_met(needs)

    def get(self, key: str) -> dict[str, Any] | None:
        """The key's result by output name, for the caller to keep; None when there is none.

        A mapped node's result is put together from those of its elements.
        """
        value, needs = self._load(key)
        if isinstance(value, Fan):
            return value.assemble(self.get)
        return value if isinstance(value, dict) and self._are_met(needs) else None

    def fan(self, key: str) -> list[str] | None:
        """Keys of the elements of a mapped node's result; None when it is not here or any element is missing."""
        value, needs = self._load(key)
        return list(value.element_keys) if isinstance(value, Fan) and self._are_met(needs) else None

    def put(
        self,
        key: str,
        result: dict[str, Any],
        *,
        seconds: float,
        policy: CachePolicy = "auto",
        node_type: str = "",
        explain: Explain | None = None,
    ) -> None:
        """Keep a result that took so many seconds. Never raises for what cannot be kept or written: it warns once a node type.

        `explain` holds or gives the parts of the key as JSON, for people who ask why a result was made again; a function is called
        only for results that go to disk.
        """
        if policy == "never":
            return
        needs: Needs
        size = plain_size(result)
        if size is not None:
            value, needs, plain = result.copy(), (), True
        else:
            try:
                value = snapshot(result, on_cpu=True)
            except CannotEncode as error:
                self._tell(node_type, error)
                return
            size, needs, plain = size_of(value), needs_of(value), False
        self.memory.keep(key, value, seconds=seconds, size=size, needs=needs, plain=plain)
        if policy == "disk" or is_worth_disk(seconds, size):
            self._writer.submit(PendingWrite(key, value, seconds, size, node_type, _parts(explain), needs))

    def put_fan(
        self,
        key: str,
        outputs: Sequence[str],
        element_keys: Sequence[str],
        *,
        seconds: float,
        policy: CachePolicy = "auto",
        node_type: str = "",
        explain: Explain | None = None,
    ) -> None:
        """Keep which elements a mapped node's result consists of; they are stored under keys of their own.

        `seconds` is their sum. Under `auto` it goes to disk when that was long and all elements go there too.
        """
        if policy == "never":
            return
        fan = Fan(tuple(outputs), tuple(element_keys))
        size = size_of(fan)
        self.memory.keep(key, fan, seconds=seconds, size=size, needs=fan)
        if policy == "disk" or (is_worth_disk(seconds, size) and all(map(self._goes_to_disk, fan.element_keys))):
            self._writer.submit(PendingWrite(key, fan, seconds, size, node_type, _parts(explain), fan))

    def scratch(self, key: str) -> Path:
        """The key's own folder, the same in every process, made now if need be. Raises OSError."""
        return self.disk.scratch(key)

    def remove(self, key: str) -> None:
        """Forget the key's result."""
        self.flush()
        self.memory.remove(key)
        self.disk.remove(key)

    def clear(self) -> None:
        """Forget all results; scratch folders stay."""
        self.flush()
        self.memory.clear()
        self.disk.clear()
        self._disk_needs.clear()

    def flush(self) -> None:
        """Wait until everything is on disk that goes there."""
        self._writer.flush()

    def close(self) -> None:
        """Finish writing. Results can still be read, and no longer stored on disk."""
        self._writer.close()

    def stats(self) -> CacheStats:
        """Figures at this moment."""
        return CacheStats(self.memory.stats(), self.disk.stats())

    def _load(self, key: str) -> tuple[Any, Needs]:
        needs = self.memory.needs_of(key)
        value = self.memory.get(key)
        if value is not None and needs is not None:
            return value, needs
        if (pending := self._writer.find(key)) is not None:
            return snapshot(pending.value), pending.needs
        found = self.disk.load(key)
        if found is None:
            return None, ()
        record, value = found
        needs = needs_of(value)
        size = plain_size(value)
        if size is not None:
            self.memory.keep(key, dict(value), seconds=record.seconds, size=size, plain=True)
        else:
            self.memory.keep(key, snapshot(value), seconds=record.seconds, size=size_of(value), needs=needs)
        return value, needs

    def _goes_to_disk(self, key: str) -> bool:
        return self._writer.find(key) is not None or self.disk.contains(key)

    def _are_met(self, needs: Needs) -> bool:
        if isinstance(needs, Fan):
            return all(map(self.contains, needs.element_keys))
        return all(map(self._artifact_exists, needs))

    def _needs_on_disk(self, key: str) -> Needs | None:
        if (pending := self._writer.find(key)) is not None:
            return pending.needs
        if not self.disk.contains(key):
            return None
        known = self._disk_needs.get(key)
        if known is None:
            record = self.disk.record(key)
            if record is None:
                return None
            if len(self._disk_needs) >= _REMEMBERED:
                self._disk_needs.clear()
            known = self._disk_needs[key] = Fan.read(record.structure) or record.artifacts
        return known

    def _write(self, pending: PendingWrite) -> None:
        try:
            self.disk.put(
                pending.key,
                pending.value,
                seconds=pending.seconds,
                node_type=pending.node_type,
                explain=pending.explain,
            )
        except CannotEncode as error:
            self._tell(pending.node_type, error)

    def _tell(self, node_type: str, error: CannotEncode) -> None:
        if node_type not in self._told:
            self._told.add(node_type)
            log.warning("a result of %s is not kept: %s", node_type or "a node", error)


def _parts(explain: Explain | None) -> Mapping[str, Any]:
    if explain is None:
        return {}
    return explain() if callable(explain) else explain


def needs_of(value: Any) -> Needs:
    """What else must exist for a result to be of use: the artifacts that it speaks of, or a fan's elements."""
    if isinstance(value, Fan):
        return value
    names: dict[str, None] = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, File):
            names[item.name] = None
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif kind_of(type(item)) == "dataclass":
            waiting.extend(vars(item).values() if hasattr(item, "__dict__") else ())
    return tuple(names)
