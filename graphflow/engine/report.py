"""What a finished run leaves: its status, its values, its files, and how it went node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from graphflow.engine.events import ArtifactReady, NodeFailed, RunStatus
from graphflow.ports.base import PortType
from graphflow.ports.file import File


@dataclass(frozen=True)
class NodeRecord:
    """How a node went, with the parts of its key: what `graphflow cache --explain` compares."""

    type: str
    status: str
    """`ran`, `cached`, `failed`, `skipped`, or `not needed`."""
    key: str | None
    parts: dict[str, Any] | None


@dataclass(frozen=True)
class RunReport:
    """The end of a run."""

    run: str
    status: RunStatus
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Values of the workflow's exposed outputs by name, as far as they were made."""
    executed: int = 0
    cached: int = 0
    seconds: float = 0.0
    failures: tuple[NodeFailed, ...] = ()
    artifacts: tuple[ArtifactReady, ...] = ()
    """Files that the targets gave, new and from earlier runs, in the order of the graph."""
    message: str = ""
    """Why the run failed, when no single node did."""
    traceback: str = ""
    """For developers, when a defect of graphflow or of a listener ended the run."""
    records: Callable[[], dict[str, NodeRecord]] = dict
    """How each node went, by id; made when asked for."""


def files_in(value: Any) -> list[File]:
    """Every file in a value once, in order; looks into lists, tuples and dicts."""
    found: list[File] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, File):
            found.append(item)
        elif isinstance(item, list | tuple):
            stack.extend(reversed(item))
        elif isinstance(item, Mapping):
            stack.extend(reversed(list(item.values())))
    return list({file.name: file for file in found}.values())


def describe_value(value: Any, artifact_path: Any) -> Any:
    """A value as JSON: plain ones as they are, files with their path, tensors by shape. `artifact_path`: name -> Path."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [describe_value(item, artifact_path) for item in value]
    if isinstance(value, Mapping):
        return {str(name): describe_value(item, artifact_path) for name, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, File):
        described = {item.name: getattr(value, item.name) for item in fields(value)}
        return {"type": type(value).__name__, "path": str(artifact_path(value.name)), **described}
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return {
            "type": type(value).__name__,
            "shape": list(value.shape),
            "dtype": str(value.dtype).removeprefix("torch."),
        }
    if is_dataclass(value) and not isinstance(value, type):
        described = {item.name: describe_value(getattr(value, item.name), artifact_path) for item in fields(value)}
        return {"type": type(value).__name__, **described}
    return {"type": type(value).__name__} if isinstance(value, PortType) else str(value)
