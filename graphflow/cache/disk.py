"""Results in a folder, limited by bytes, shared by any number of processes.

    3f/3f9c.../record.json           what it is, and everything that is not a tensor
    3f/3f9c.../result.safetensors    the tensors, when there are any
    scratch/<key>/                   a node's own folder
    drafts/<host>.<process>.<id>/    what is being written or deleted

An entry is written as a draft and renamed into place, so that it is there whole or not at all; a process that is killed leaves only a
draft. A power cut may leave a damaged entry; checksums find it. Nothing here raises for a full or read-only disk: the cache then
keeps less, and says so once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from graphflow.cache.classes import DecodeError, FindModule, ModuleNotLoaded, loaded_module
from graphflow.cache.codec import decode, encode
from graphflow.cache.drafts import Drafts
from graphflow.cache.eviction import Candidate, victims
from graphflow.cache.record import Record
from graphflow.cache.tensorfile import read_tensors, write_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

log = logging.getLogger("graphflow.cache")

RECORD = "record.json"
TENSORS = "result.safetensors"
ROOM = 0.9
ABSENT_SECONDS = 0.05
"""How long a first-level folder that was not there is taken to be missing: what another process makes is seen that much later."""
"""Share of the limit that is left after eviction, so that not every write evicts."""
_KEY = re.compile(r"[0-9A-Za-z_-]{3,128}")


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """A stored result, for listings."""

    record: Record
    bytes: int
    """On disk, record included."""
    last_used: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class DiskStats:
    """Figures of the folder."""

    entries: int
    bytes: int
    limit_bytes: int


class DiskTier:
    """Results by key in a folder. Keys are letters, digits, `-` and `_`. One writing thread per process; reads from any."""

    def __init__(self, folder: Path, limit_bytes: int, *, find_module: FindModule = loaded_module) -> None:
        """Makes no folder before the first write.

        `find_module` gives the modules of packs, whose classes may be in results.
        """
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._root = str(folder)
        self._find_module = find_module
        self._drafts = Drafts(folder / "drafts")
        self._known_bytes: int | None = None
        self._unscanned_bytes = 0
        self._told: set[str] = set()
        self._shards: set[str] = set()
        self._absent_until: dict[str, float] = {}

    def contains(self, key: str) -> bool:
        """Whether the key has an entry, by one look at the file system."""
        # `access` answers without making an exception for a miss, which most looks are.
        return self._has_shard(key[:2]) and os.access(f"{self._root}/{key[:2]}/{key}/{RECORD}", os.F_OK)

    def _has_shard(self, shard: str) -> bool:
        """Whether the first folder on the way to an entry is there. A miss is believed for a moment: a young cache has few of them."""
        if shard in self._shards:
            return True
        now = time.monotonic()
        if self._absent_until.get(shard, 0.0) > now:
            return False
        if os.access(f"{self._root}/{shard}", os.F_OK):
            self._shards.add(shard)
            return True
        self._absent_until[shard] = now + ABSENT_SECONDS
        return False

    def record(self, key: str) -> Record | None:
        """The key's record; None when there is none. A damaged entry is removed, with a warning."""
        try:
            return self._read_record(key)
        except DecodeError as error:
            self._drop_damaged(key, error)
            return None

    def get(self, key: str) -> Any:
        """The key's result, in memory of its own; None when there is none. A damaged entry is removed, with a warning."""
        found = self.load(key)
        return None if found is None else found[1]

    def load(self, key: str) -> tuple[Record, Any] | None:
        """The key's record and result; None when there is none. A damaged entry is removed, with a warning."""
        try:
            record = self._read_record(key)
            if record is None:
                return None
            value = self._read_value(record)
        except ModuleNotLoaded as error:
            self._tell(str(error), "a cached result is not used: %s", error)
            return None
        except DecodeError as error:
            self._drop_damaged(key, error)
            return None
        self._touch(key)
        return record, value

    def put(
        self, key: str, value: Any, *, seconds: float, node_type: str = "", explain: Mapping[str, Any] | None = None
    ) -> bool:
        """Store a result that took so many seconds; False when it is larger than the limit or, with a warning, when the
        disk refuses.

        Raises CannotEncode when the value holds something that has no place in a file.
        """
        final = self._entry(key)
        if self.contains(key):
            # The same key holds the same result; whether it is sound shows when it is read.
            self._touch(key)
            return True
        encoded = encode(value)
        if encoded.nbytes > self.limit_bytes:
            return False
        draft: Path | None = None
        try:
            self._start_writing()
            draft = self._drafts.new()
            size, digest = 0, ""
            entries: dict[str, str] = {}
            if encoded.tensors or encoded.arrays:
                tensor_file = draft / TENSORS
                entries = write_tensors(tensor_file, encoded.tensors, encoded.arrays)
                size = tensor_file.stat().st_size
                digest = blake3().update_mmap(tensor_file).hexdigest()
            record = Record(
                key, node_type, seconds, time.time(), encoded.structure, entries, encoded.artifacts, explain or {},
                size, digest,
            )  # fmt: skip
            content = record.to_json()
            (draft / RECORD).write_bytes(content)
            self._publish(draft, final)
        except OSError as error:
            if draft is not None:
                shutil.rmtree(draft, ignore_errors=True)
            reason = error.strerror or str(error)
            self._tell(reason, "results are not kept on disk: %s cannot be written (%s)", self.folder, reason)
            return False
        self._count(size + len(content))
        return True

    def remove(self, key: str) -> bool:
        """Delete the key's entry; False when there was none or it may not be deleted."""
        return self._drafts.discard(self._entry(key))

    def clear(self) -> int:
        """Delete all entries; the number of them. Scratch folders stay."""
        removed = sum(self.remove(path.name) for path in list(self._folders()))
        self._drafts.sweep()
        self._known_bytes = None
        return removed

    def entries(self) -> Iterator[DiskEntry]:
        """All stored results, in no order. Damaged entries are removed, with a warning."""
        for path in self._folders():
            record = self.record(path.name)
            if record is None:
                continue
            try:
                status = (path / RECORD).stat()
            except OSError:
                continue
            yield DiskEntry(record, record.tensor_bytes + status.st_size, status.st_mtime)

    def stats(self) -> DiskStats:
        """Count what is in the folder now, whoever wrote it."""
        sizes = [_folder_bytes(path) for path in self._folders()]
        return DiskStats(len(sizes), sum(sizes), self.limit_bytes)

    def evict(self) -> int:
        """Make room when the folder is over its limit; the number of entries removed. Leaves it to a process that is at it."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / "eviction.lock", timeout=0):
                self._drafts.sweep()
                found = list(self.entries())
                total = sum(entry.bytes for entry in found)
                leaving: list[str] = []
                if total > self.limit_bytes:
                    candidates = [Candidate(e.record.key, e.record.seconds, e.bytes, e.last_used) for e in found]
                    leaving = victims(candidates, total - int(ROOM * self.limit_bytes))
                removed = sum(self.remove(key) for key in leaving)
        except (Timeout, OSError):
            return 0
        finally:
            self._known_bytes, self._unscanned_bytes = self.stats().bytes, 0
        return removed

    def scratch(self, key: str) -> Path:
        """The key's own folder, made now if need be. Raises OSError."""
        path = self._scratch_folder(key)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def clear_scratch(self, key: str | None = None) -> None:
        """Delete the key's own folder, or those of all keys."""
        self._drafts.discard(self.folder / "scratch" if key is None else self._scratch_folder(key))

    def _entry(self, key: str) -> Path:
        return self.folder / _checked(key)[:2] / key

    def _scratch_folder(self, key: str) -> Path:
        return self.folder / "scratch" / _checked(key)

    def _folders(self) -> Iterator[Path]:
        try:
            shards = [entry.path for entry in os.scandir(self.folder) if len(entry.name) == 2 and entry.is_dir()]
        except OSError:
            return
        for shard in shards:
            try:
                names = os.listdir(shard)
            except OSError:
                continue
            yield from (Path(shard, name) for name in names if _KEY.fullmatch(name))

    def _read_record(self, key: str) -> Record | None:
        try:
            data = (self._entry(key) / RECORD).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._tell(str(error), "a cached result cannot be read: %s", error)
            return None
        record = Record.from_json(data)
        if record.key != key:
            raise DecodeError("the record is of another key")
        return record

    def _read_value(self, record: Record) -> Any:
        tensors: dict[str, Tensor] = {}
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        if record.tensor_digest:
            try:
                data = (self._entry(record.key) / TENSORS).read_bytes()
            except OSError as error:
                raise DecodeError(f"the tensor file cannot be read ({error.strerror})") from error
            if len(data) != record.tensor_bytes:
                raise DecodeError(f"the tensor file has {len(data)} bytes instead of {record.tensor_bytes}")
            if blake3(data).hexdigest() != record.tensor_digest:
                raise DecodeError("the checksum of the tensor file does not match")
            tensors, arrays = read_tensors(data, record.entries)
        return decode(record.structure, tensors, arrays, find_module=self._find_module)

    def _publish(self, draft: Path, final: Path) -> None:
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(draft, final)
            self._absent_until.pop(final.parent.name, None)
        except OSError:
            if (final / RECORD).exists():
                # Another process was faster: the same key holds the same result.
                shutil.rmtree(draft, ignore_errors=True)
            elif self._drafts.discard(final):
                os.rename(draft, final)
            else:
                raise

    def _start_writing(self) -> None:
        if self._known_bytes is None:
            self._drafts.sweep()
            self._known_bytes = self.stats().bytes

    def _count(self, written: int) -> None:
        self._known_bytes = (self._known_bytes or 0) + written
        self._unscanned_bytes += written
        if self._unscanned_bytes > self.limit_bytes // 20:
            # Other processes may write as much as this one: look again before all of them together are far over the limit.
            self._known_bytes, self._unscanned_bytes = self.stats().bytes, 0
        if self._known_bytes > self.limit_bytes:
            self.evict()

    def _touch(self, key: str) -> None:
        # Evicted meanwhile, or read-only: only the order of eviction suffers.
        with contextlib.suppress(OSError):
            os.utime(self._entry(key) / RECORD)

    def _drop_damaged(self, key: str, error: DecodeError) -> None:
        # Between the reading of its files another process may have evicted a sound entry: that is a plain miss.
        if self.remove(key) or self.contains(key):
            log.warning("the cached result %s is damaged (%s); it will be made again", key, error)

    def _tell(self, reason: str, message: str, *arguments: object) -> None:
        if reason not in self._told:
            self._told.add(reason)
            log.warning(message, *arguments)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a key; keys are 3 to 128 letters, digits, - and _")
    return key


def _folder_bytes(path: Path) -> int:
    total = 0
    for name in (RECORD, TENSORS):
        try:
            total += os.stat(path / name).st_size
        except OSError:
            continue
    return total
