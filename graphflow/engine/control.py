"""Asking a run to stop."""

from __future__ import annotations

from graphflow.errors import RunCancelled


class RunControl:
    """The switch between a run and whoever started it; safe to use from any thread."""

    def __init__(self) -> None:
        self.is_cancelled = False
        """Whether the run was asked to stop."""
        self.watched = False
        """Whether somebody looks at previews."""

    def cancel(self) -> None:
        """Ask the run to stop: no new node starts, and running ones stop at their next `progress` or `check_cancelled`."""
        self.is_cancelled = True

    def check(self) -> None:
        """Raise RunCancelled once the run was asked to stop."""
        if self.is_cancelled:
            raise RunCancelled("the run was cancelled")
