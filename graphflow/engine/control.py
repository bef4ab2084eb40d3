"""Asking a run to stop."""

from __future__ import annotations

import threading

from graphflow.errors import RunCancelled


class RunControl:
    """The switch between a run and whoever started it; safe to use from any thread."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self.watched = False
        """Whether somebody looks at previews."""

    def cancel(self) -> None:
        """Ask the run to stop: no new node starts, and running ones stop at their next `progress` or `check_cancelled`."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise RunCancelled once the run was asked to stop."""
        if self._cancelled.is_set():
            raise RunCancelled("the run was cancelled")
