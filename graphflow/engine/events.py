"""What happens in a run, as one typed union: the same in command line, server, store and tests.

Each event costs the same whatever the graph's size, and carries only what changed. They are named tuples because two are made per node, and
these are the cheapest immutable records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from graphflow.ports.base import snake_case

RunStatus = Literal["succeeded", "failed", "cancelled"]


class RunQueued(NamedTuple):
    """A run was accepted."""

    run: str
    time: float
    name: str = ""


class RunStarted(NamedTuple):
    """A run began."""

    run: str
    time: float
    nodes: int
    """Nodes in the workflow."""


class NodeStarted(NamedTuple):
    """A node began to run."""

    run: str
    time: float
    node: str
    element: int | None = None
    """Which element of a mapped node; None when it is not mapped."""


class NodeProgress(NamedTuple):
    """A node got on with its work."""

    run: str
    time: float
    node: str
    value: int
    total: int | None
    label: str = ""
    element: int | None = None


class NodePreview(NamedTuple):
    """A node shows an unfinished result; sent only while somebody watches."""

    run: str
    time: float
    node: str
    image: Any
    """A `graphflow.Image`; kept out of JSON."""
    element: int | None = None


class NodeCached(NamedTuple):
    """A node's result was there already."""

    run: str
    time: float
    node: str
    element: int | None = None


class NodeFinished(NamedTuple):
    """A node has run."""

    run: str
    time: float
    node: str
    seconds: float
    element: int | None = None


class NodeFailed(NamedTuple):
    """A node raised, or could not get its inputs."""

    run: str
    time: float
    node: str
    type: str
    message: str
    """For the user: what happened, as one sentence or a few lines."""
    traceback: str = ""
    """For developers; empty when the cause is the user's to mend."""
    element: int | None = None


class NodeSkipped(NamedTuple):
    """A node did not run because something before it failed."""

    run: str
    time: float
    node: str
    element: int | None = None


class ArtifactReady(NamedTuple):
    """A file for the user is there, new or from an earlier run."""

    run: str
    time: float
    node: str
    name: str
    """Path inside the artifact folder."""
    path: str
    media_type: str
    element: int | None = None


class ModelMoved(NamedTuple):
    """Weights moved between file, host and device."""

    run: str
    time: float
    model: str
    origin: str
    target: str
    bytes: int
    seconds: float


class RunFinished(NamedTuple):
    """A run is over."""

    run: str
    time: float
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


Event = (
    RunQueued
    | RunStarted
    | NodeStarted
    | NodeProgress
    | NodePreview
    | NodeCached
    | NodeFinished
    | NodeFailed
    | NodeSkipped
    | ArtifactReady
    | ModelMoved
    | RunFinished
)
"""Anything that happens. Each has the id of its `run` and its `time` in seconds since 1970."""

EventSink = Callable[[Event], None]


def event_json(event: Event) -> dict[str, Any]:
    """The event as JSON: `{"event": "node_started", "run": ..., "time": ..., ...}`; None values and pictures left out."""
    body = {name: value for name, value in event._asdict().items() if name != "image" and value is not None}
    return {"event": snake_case(type(event).__name__), **body}
