"""Where runs take place. Executors share one protocol; the local one imports nothing of the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from graphflow.engine.control import RunControl
from graphflow.engine.events import EventSink
from graphflow.engine.report import RunReport
from graphflow.graph.graph import Graph


def _quiet(event: object) -> None:
    """Nobody listens."""


def _no_provenance() -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class RunRequest:
    """A graph to run and who is told."""

    graph: Graph
    run: str
    """Id of the run."""
    targets: tuple[str, ...] = ()
    """Node ids; empty means the graph's own: nodes that save, and exposed outputs."""
    control: RunControl = field(default_factory=RunControl)
    emit: EventSink = _quiet
    provenance: Callable[[], dict[str, str]] = _no_provenance
    use_cache: bool = True
    """Whether results of earlier runs will do."""


class Executor(Protocol):
    """Runs graphs, one after the other or side by side."""

    def submit(self, request: RunRequest) -> Future[RunReport]:
        """Queue a run; the report always comes, whatever happens inside."""

    def close(self) -> None:
        """Finish what runs and end the workers."""
