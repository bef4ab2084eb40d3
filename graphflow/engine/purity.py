"""Catches nodes that change their inputs, by comparing tensor version counters before and after (`--dev`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from graphflow.errors import GraphflowError


class InputChanged(GraphflowError):
    """A node changed a tensor that it was given, which other nodes may still need."""


class InputGuard:
    """Remembers the tensors among a node's inputs, and whether any of them was written to."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._versions = [(path, tensor, tensor._version) for path, tensor in tensors(inputs)]

    def check(self) -> None:
        """Raise InputChanged naming every tensor that was changed in place."""
        changed = [path for path, tensor, version in self._versions if tensor._version != version]
        if changed:
            raise InputChanged(
                f"it changed its input {', '.join(changed)} in place; work on a copy, as other nodes may still need the input"
            )


def tensors(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor in a value with its path, such as `latent.samples`; walks dataclasses, lists, tuples and dicts without recursion."""
    stack = [(path, value)]
    while stack:
        place, found = stack.pop()
        if hasattr(found, "_version") and hasattr(found, "untyped_storage"):
            yield place, found
        elif is_dataclass(found) and not isinstance(found, type):
            stack.extend((f"{place}.{item.name}", getattr(found, item.name)) for item in fields(found))
        elif isinstance(found, Mapping):
            stack.extend((f"{place}.{name}" if place else str(name), item) for name, item in found.items())
        elif isinstance(found, list | tuple):
            stack.extend((f"{place}.{at}", item) for at, item in enumerate(found))
