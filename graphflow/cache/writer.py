"""One background thread that writes results to disk while nodes go on running."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphflow.cache.fan import Needs

log = logging.getLogger("graphflow.cache")


@dataclass(frozen=True, eq=False)
class PendingWrite:
    """A result on its way to disk. Nobody changes its value any more."""

    key: str
    value: Any
    seconds: float
    size: int
    """Bytes of the value."""
    node_type: str = ""
    explain: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = ()


class BackgroundWriter:
    """Writes in the order of submission; holds at most so many bytes that are not written yet."""

    def __init__(self, write: Callable[[PendingWrite], None], limit_bytes: int) -> None:
        """Starts no thread before the first submission."""
        self._write = write
        self._limit_bytes = limit_bytes
        self._pending: OrderedDict[str, PendingWrite] = OrderedDict()
        self._bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(self, pending: PendingWrite) -> bool:
        """Queue a write; False when the writer is closed.

        Waits while the queue is full; a write larger than the whole queue waits until it is empty.

        A second write of a key that is still waiting is dropped: the same key holds the same result.
        """
        with self._changed:
            if self._closing:
                return False
            if pending.key in self._pending:
                return True
            self._changed.wait_for(lambda: not self._pending or self._bytes + pending.size <= self._limit_bytes)
            self._pending[pending.key] = pending
            self._bytes += pending.size
            if self._thread is None:
                # A daemon, so that an impatient exit is not held up: what is half-written then is only a draft.
                self._thread = threading.Thread(target=self._run, name="graphflow-cache-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def find(self, key: str) -> PendingWrite | None:
        """The write of a key that is not finished yet."""
        return self._pending.get(key)

    def flush(self) -> None:
        """Wait until everything submitted so far is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending)

    def close(self) -> None:
        """Write what is left and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                if not self._pending:
                    return
                pending = next(iter(self._pending.values()))
            try:
                self._write(pending)
            except Exception:
                log.exception("the result %s of %s could not be stored", pending.key, pending.node_type)
            with self._changed:
                del self._pending[pending.key]
                self._bytes -= pending.size
                self._changed.notify_all()
