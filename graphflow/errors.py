"""What can go wrong, as one tree.

    GraphflowError
      WorkflowError            the saved file or its input is wrong; carries every Finding of one check
      NodeDefinitionError      a node class is written wrongly (for pack authors)
      PackError                a pack cannot be found, read or installed
      ModelError               a model file is missing, unknown, damaged or refused
        ModelNotFound
        UnsafeModelFile        it needs pickle
        UnknownModelFormat
        ModelMismatch          keys or shapes do not fit
        OutOfMemory
      InputFileError           an image, text or other input file cannot be read
      CacheError               the cache folder cannot be used
      NodeFailed               a node raised while running; wraps the cause
      RunCancelled             somebody asked the run to stop

Every message says what happened, where, what was given, what is accepted and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


class GraphflowError(Exception):
    """Base of every error that graphflow raises on purpose."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found, with its place.

    `str(finding)` is the line shown to the user, for example
    `fox.json, node "sample", input "steps": 0 is too small; use 1 to 1000.`
    """

    message: str
    """What is wrong and what is accepted, as a sentence without the place."""
    file: str = ""
    node: str = ""
    input: str = ""
    code: str = "invalid"
    """Short machine-readable kind, such as `unknown_input` or `cycle`."""
    value: Any = None
    """The value as given; anything that JSON can hold."""
    accepted: str = ""
    """What is accepted there, in words; empty when the message says it."""
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """File, node and input as the user reads them."""
        parts = [self.file] if self.file else []
        if self.line is not None:
            parts.append(f"line {self.line}, column {self.column}")
        if self.node:
            parts.append(f'node "{self.node}"')
        if self.input:
            parts.append(f'input "{self.input}"')
        return ", ".join(parts)

    def __str__(self) -> str:
        place = self.place
        return f"{place}: {self.message}" if place else self.message


class WorkflowError(GraphflowError):
    """A saved workflow, its values or its parameters are wrong. Carries all findings of the check."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class NodeDefinitionError(GraphflowError):
    """A node class breaks a rule of the node API; the message names the file, the class and the rule."""


class PackError(GraphflowError):
    """A pack cannot be found, read, resolved or installed."""


class ModelError(GraphflowError):
    """A model file cannot be used."""


class ModelNotFound(ModelError):
    """No file, folder or hub repository answers to the name."""


class UnsafeModelFile(ModelError):
    """The file can only be read by unpickling arbitrary objects, which graphflow refuses."""


class UnknownModelFormat(ModelError):
    """Keys and shapes fit no known family."""


class ModelMismatch(ModelError):
    """Tensors are missing, left over, or of the wrong shape for the network that was detected."""


class OutOfMemory(ModelError):
    """A model did not fit even after everything else was freed."""


class InputFileError(GraphflowError):
    """An input file (image, mask, text...) is missing, damaged or of a kind that is not accepted."""


class CacheError(GraphflowError):
    """The cache folder cannot be created, read or written."""


class NodeFailed(GraphflowError):
    """A node raised while it ran. `__cause__` is what it raised."""

    def __init__(self, node: str, node_type: str, message: str) -> None:
        self.node = node
        self.node_type = node_type
        super().__init__(f'node "{node}" ({node_type}) failed: {message}')


class RunCancelled(GraphflowError):
    """The run was asked to stop; raised inside nodes by `ctx.progress` and `ctx.check_cancelled`."""
