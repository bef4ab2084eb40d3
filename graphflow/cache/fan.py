"""The result of a mapped node, kept by reference to the results of its elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphflow.cache.codec import decode


@dataclass(frozen=True)
class Fan:
    """Which elements a mapped result is made of."""

    outputs: tuple[str, ...]
    """Names of the node's outputs; each is a list with one item per element."""
    element_keys: tuple[str, ...]
    """Keys of the elements' results, in order."""

    @classmethod
    def read(cls, structure: Any) -> Fan | None:
        """The fan that a stored structure holds; None for the structure of any other result."""
        name = f"{cls.__module__}:{cls.__qualname__}"
        if not isinstance(structure, dict) or structure.get("object", [None])[0] != name:
            return None
        fan = decode(structure, {}, {})
        return fan if isinstance(fan, cls) else None

    def assemble(self, load: Callable[[str], Mapping[str, Any] | None]) -> dict[str, Any] | None:
        """The lists by output name; None as soon as an element is missing."""
        lists: dict[str, list[Any]] = {name: [] for name in self.outputs}
        for key in self.element_keys:
            element = load(key)
            if element is None or not lists.keys() <= element.keys():
                return None
            for name, items in lists.items():
                items.append(element[name])
        return dict(lists)


Needs = tuple[str, ...] | Fan
"""What else must exist for a result to count as present: artifacts by name, or the elements of a fan."""
