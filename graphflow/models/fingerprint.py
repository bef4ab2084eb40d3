"""Content digests of files and folders, remembered so that an unchanged file costs one `stat`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3
from filelock import FileLock, Timeout

from graphflow.errors import GraphflowError, InputFileError
from graphflow.models.source import companions_of

_SETTLED_NS = 100_000_000
"""A file changed less than this long ago could change again within one tick of the file system's clock: not remembered yet."""

_WRITE_SECONDS = 1.0
"""Between two writes of the table, which holds all files: a folder of thousands must not write it thousands of times."""

_THREADED_BYTES = 4 * 2**20
"""From this size on, a file is read in pieces, and blake3 uses all cores."""
_PIECE_BYTES = 16 * 2**20


class Fingerprints:
    """blake3 digests by path, size, time and inode, in memory and in a JSON table that processes share.

    A file that was overwritten, even in place, has another time, size or inode and is read again. Losing the table costs
    only the time to read files once more. Safe in threads.
    """

    def __init__(self, table: Path | None = None) -> None:
        """`table` is the JSON file, usually `GRAPHFLOW_HOME/cache/fingerprints.json`; None remembers in memory only."""
        self._table = table
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] | None = None  # path -> [size, mtime_ns, inode, digest], as JSON has it
        self._unwritten: dict[str, list[Any]] = {}
        self._written_at = -_WRITE_SECONDS
        self.files_read = 0
        """How many files were digested, not remembered."""

    def of(self, path: Path) -> str:
        """Digest of a file's content or of a folder's files. Raises InputFileError if it cannot be read."""
        try:
            return self._of_folder(path) if path.is_dir() else self._of_file(path)
        except OSError as error:
            raise InputFileError(f"{path} cannot be read: {error.strerror or error}") from error

    def of_listing(self, folder: Path) -> str:
        """Digest of which files lie in a folder, however deep, their sizes and when they were changed; reads none of them."""
        hasher = blake3()
        for file in sorted(_files_in(folder)):
            try:
                stat = file.stat()
            except OSError:
                continue  # a link that leads nowhere, or a file that went away just now
            name = file.relative_to(folder).as_posix()
            hasher.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        return hasher.hexdigest()

    def of_model(self, path: Path) -> str:
        """Digest of all that decides what a model is: its folder, or the file, its shards and its configuration."""
        if path.is_dir():
            return self.of(path)
        files = [path, *companions_of(path)]
        if len(files) == 1:
            return self.of(path)
        return _combined([(file.name, self.of(file)) for file in files])

    def _of_folder(self, folder: Path) -> str:
        return _combined([(file.relative_to(folder).as_posix(), self._of_file(file)) for file in _files_in(folder)])

    def _of_file(self, path: Path) -> str:
        stat = path.stat()
        key, state = os.path.abspath(path), [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        with self._lock:
            known = self._remembered().get(key)
        if known is not None and known[:3] == state:
            return str(known[3])
        digest = _digest(path, size=stat.st_size)
        after = path.stat()
        settled = time.time_ns() - after.st_mtime_ns > _SETTLED_NS
        with self._lock:
            self.files_read += 1
            if settled and [after.st_size, after.st_mtime_ns, after.st_ino] == state:
                self._remember(key, [*state, digest])
        return digest

    def _remembered(self) -> dict[str, list[Any]]:
        if self._known is None:
            self._known = _read_table(self._table)
        return self._known

    def _remember(self, key: str, entry: list[Any]) -> None:
        self._remembered()[key] = entry
        self._unwritten[key] = entry
        if time.monotonic() - self._written_at >= _WRITE_SECONDS:
            self._write()

    def close(self) -> None:
        """Write down what is remembered and not written yet. Raises GraphflowError if the table cannot be written."""
        with self._lock:
            if self._unwritten:
                self._write()

    def _write(self) -> None:
        """Add what is not written yet to the table, beside what other processes have added."""
        if self._table is None:
            return
        self._written_at = time.monotonic()
        try:
            self._table.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._table}.lock", timeout=5):
                merged = {**_read_table(self._table), **self._unwritten}
                temporary = self._table.with_name(f".{self._table.name}.{os.getpid()}.tmp")
                temporary.write_text(json.dumps(merged, indent=0), encoding="utf-8")
                temporary.replace(self._table)
            self._unwritten.clear()
        except Timeout:
            return  # another process keeps the table busy; it is tried again with the next file
        except OSError as error:
            raise GraphflowError(
                f"{self._table} cannot be written: {error.strerror or error}; check GRAPHFLOW_HOME"
            ) from error


def _files_in(folder: Path) -> Iterator[Path]:
    """Files of a folder and its subfolders, hidden ones left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _read_table(table: Path | None) -> dict[str, list[Any]]:
    """Entries of the table; a missing or damaged table is an empty one."""
    if table is None:
        return {}
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {path: entry for path, entry in content.items() if isinstance(entry, list) and len(entry) == 4}


def _digest(path: Path, size: int) -> str:
    """Digest of a file, which is read and not mapped: the pages of a mapped file count as this process's memory."""
    if size < _THREADED_BYTES:
        return blake3(path.read_bytes()).hexdigest()
    hasher = blake3(max_threads=blake3.AUTO)
    piece = memoryview(bytearray(_PIECE_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            hasher.update(piece[:count])
    return hasher.hexdigest()


def _combined(entries: list[tuple[str, str]]) -> str:
    hasher = blake3()
    for name, digest in sorted(entries):
        encoded = name.encode("utf-8", "surrogateescape")
        hasher.update(len(encoded).to_bytes(8, "little") + encoded + bytes.fromhex(digest))
    return hasher.hexdigest()
