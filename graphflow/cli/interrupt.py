"""Ctrl-C: once stops a run cleanly, twice at once. SIGTERM is one Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from types import FrameType
from typing import Any, TypeVar

from graphflow.cli.exits import ExitCode
from graphflow.engine.control import RunControl

T = TypeVar("T")

STOPPING = "Stopping after the present step; press Ctrl-C again to stop at once."
STOPPED = "Stopped."
_LOOK_SECONDS = 0.1
_SHOW_CURSOR = b"\x1b[?25h\n"


class Interruption:
    """Turns signals into `control.cancel()` while it is open.

    Signal handlers run in the main thread between bytecodes, so the main thread only waits while another one computes.
    """

    def __init__(self, control: RunControl, tell: Callable[[str], None]) -> None:
        """`tell` is called, from the main thread, when the first signal has come."""
        self._control = control
        self._tell = tell
        self._news = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_for(self, work: Future[T]) -> T:
        """What the work gives. Raises what it raises."""
        while not wait([work], timeout=_LOOK_SECONDS).done:
            if self._news:
                self._news = False
                self._tell(STOPPING)
        if self._news:  # it stopped before anybody looked
            self._news = False
            self._tell(STOPPED)
        return work.result()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._control.is_cancelled:
            self._news = True
            self._control.cancel()
        elif number == signal.SIGINT:
            _leave_now()


def _leave_now() -> None:
    """End the process without any cleaning up; the cache and the artifact folder hold only whole files at any moment."""
    try:
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    finally:
        os._exit(ExitCode.CANCELLED)
