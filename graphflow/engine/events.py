"""What happens in a run, as one typed union: the same in command line, server, store and tests.

Each event costs the same whatever the graph's size, and carries only what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from graphflow.ports.base import snake_case

RunStatus = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    run: str
    """Id of the run."""
    time: float = field(default_factory=time.time)
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueued(Event):
    """A run was accepted."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began."""

    nodes: int
    """Nodes in the workflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted(Event):
    """A node began to run."""

    node: str
    element: int | None = None
    """Which element of a mapped node; None when it is not mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProgress(Event):
    """A node got on with its work."""

    node: str
    value: int
    total: int | None
    label: str = ""
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePreview(Event):
    """A node shows an unfinished result; sent only while somebody watches."""

    node: str
    image: Any
    """A `graphflow.Image`; kept out of JSON."""
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCached(Event):
    """A node's result was there already."""

    node: str
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished(Event):
    """A node has run."""

    node: str
    seconds: float
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(Event):
    """A node raised, or could not get its inputs."""

    node: str
    type: str
    message: str
    """For the user: what happened, as one sentence or a few lines."""
    traceback: str = ""
    """For developers; empty when the cause is the user's to mend."""
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSkipped(Event):
    """A node did not run because something before it failed."""

    node: str
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactReady(Event):
    """A file for the user is there, new or from an earlier run."""

    node: str
    name: str
    """Path inside the artifact folder."""
    path: str
    media_type: str
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMoved(Event):
    """Weights moved between file, host and device."""

    model: str
    origin: str
    target: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """A run is over."""

    status: RunStatus
    outputs: Mapping[str, Any]
    """The workflow's exposed outputs as JSON: plain values as they are, others as a description."""
    executed: int
    """Tasks that ran."""
    cached: int
    """Results that were there already."""
    seconds: float
    message: str = ""
    """Why it failed, when no single node did."""


EventSink = Callable[[Event], None]


def event_json(event: Event) -> dict[str, Any]:
    """The event as JSON: `{"event": "node_started", "run": ..., "time": ..., ...}`; None values and pictures left out."""
    body = {
        item.name: getattr(event, item.name)
        for item in fields(event)
        if item.name != "image" and getattr(event, item.name) is not None
    }
    return {"event": snake_case(type(event).__name__), **body}
