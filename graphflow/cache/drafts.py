"""Folders for what is being written: they become visible by a rename, and are swept when their writer has died."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
from functools import lru_cache
from pathlib import Path

MAX_AGE = 3600.0
"""Seconds after which a draft is taken for abandoned, whoever writes it."""


class Drafts:
    """Draft folders beside what they will become, on the same file system. Names hold the host and process that write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self) -> Path:
        """Make an empty draft folder. Raises OSError."""
        path = self._name()
        path.mkdir(parents=True)
        return path

    def discard(self, path: Path) -> bool:
        """Take a file or folder out of sight in one step, then delete it; False when it was gone or may not be deleted."""
        hidden = self._name()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.rename(hidden)
        except OSError:
            return False
        shutil.rmtree(hidden, ignore_errors=True)
        return True

    def sweep(self) -> int:
        """Delete drafts whose writer has died or that are too old; the number of them."""
        try:
            found = list(self.folder.iterdir())
        except OSError:
            return 0
        abandoned = [path for path in found if _is_abandoned(path)]
        for path in abandoned:
            shutil.rmtree(path, ignore_errors=True)
        return len(abandoned)

    def _name(self) -> Path:
        return self.folder / f"{_host()}.{os.getpid()}.{uuid.uuid4().hex[:12]}"


@lru_cache(maxsize=1)
def _host() -> str:
    return "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in platform.node()) or "host"


def _is_abandoned(path: Path) -> bool:
    import psutil

    host, _, rest = path.name.rpartition(".")[0].rpartition(".")
    try:
        if time.time() - path.stat().st_mtime > MAX_AGE:
            return True
    except OSError:
        return False
    # The number means nothing on another machine that shares the folder.
    return host == _host() and rest.isdigit() and not psutil.pid_exists(int(rest))
