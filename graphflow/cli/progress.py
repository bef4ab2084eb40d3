"""Progress bars of a run, on stderr and only in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from graphflow.engine.events import (
    Event,
    NodeCached,
    NodeFailed,
    NodeFinished,
    NodeProgress,
    NodeSkipped,
    NodeStarted,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

_Place = tuple[str, int | None]
"""A node and the element of it that runs."""


def wants_bars(*, as_json: bool) -> bool:
    """Whether bars may be drawn: stderr is a terminal, and JSON does not go to the same one."""
    return sys.stderr.isatty() and not (as_json and sys.stdout.isatty())


class ProgressBars:
    """A line for the run and one for each node that reports progress. Each event costs the same, however many nodes there are."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False, markup=False, emoji=False),
            transient=True,
            redirect_stdout=False,
        )
        self._whole = self._progress.add_task("starting", total=None)
        self._running: dict[_Place, str] = {}
        self._rows: dict[_Place, TaskID] = {}
        self._done = 0

    def start(self) -> None:
        """Draw."""
        self._progress.start()

    def stop(self) -> None:
        """Wipe the bars off the terminal."""
        self._progress.stop()

    def event(self, event: Event) -> None:
        """Show what happened."""
        if isinstance(event, NodeStarted):
            self._running[event.node, event.element] = event.node
            self._show_whole()
        elif isinstance(event, NodeProgress):
            self._show_progress(event)
        elif isinstance(event, NodeFinished | NodeFailed | NodeSkipped | NodeCached):
            self._done += 1
            self._end((event.node, event.element))

    def _show_progress(self, event: NodeProgress) -> None:
        place = (event.node, event.element)
        name = event.node if event.element is None else f"{event.node}[{event.element}]"
        text = f"{name}: {event.label}" if event.label else name
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = self._progress.add_task(text, total=event.total)
        self._progress.update(row, description=text, completed=event.value, total=event.total)

    def _end(self, place: _Place) -> None:
        self._running.pop(place, None)
        row = self._rows.pop(place, None)
        if row is not None:
            self._progress.remove_task(row)
        self._show_whole()

    def _show_whole(self) -> None:
        newest = next(reversed(self._running.values()), "") if self._running else ""
        self._progress.update(self._whole, completed=self._done, description=newest or "nodes")
