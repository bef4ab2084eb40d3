"""The saved workflow, as written in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
"""Newest `"graphflow"` number that this version reads and the one that it writes."""


@dataclass(slots=True)
class SavedNode:
    """One node as saved: what differs from the defaults, and where its links come from."""

    type: str
    """Full type name without the version, `core.ksampler`, or `workflow:<file>` for a subgraph."""
    version: int | None = None
    """Version that saved it; None for subgraphs."""
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str | list[str]] = field(default_factory=dict)
    """`node.output` by input name; a list for ports that take several."""
    map: list[str] = field(default_factory=list)
    """Inputs whose lists are run through element by element."""


@dataclass(slots=True)
class Document:
    """A saved workflow. `path` is where it came from; None for one made in memory."""

    nodes: dict[str, SavedNode] = field(default_factory=dict)
    name: str = ""
    packs: dict[str, str] = field(default_factory=dict)
    params: dict[str, list[str]] = field(default_factory=dict)
    """Exposed names, each with the `node.input` places that it sets."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Exposed results: `node.output` by name."""
    view: dict[str, Any] = field(default_factory=dict)
    """The editor's: positions by node id, frames, notes. Never read by the engine."""
    workflows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Files of `workflow:` nodes carried along, as saved objects, by path relative to this file; looked at before the disk."""
    path: Path | None = None
    label: str = ""
    """What findings call the file; the path as the user gave it."""
    carrier: Document | None = None
    """The document that this one was carried in, whose other carried files it may name; None for a file of its own."""

    @property
    def folder(self) -> Path:
        """Folder that names of other files are relative to."""
        return self.path.parent if self.path is not None else Path()
