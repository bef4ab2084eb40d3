"""Small numbered steps that bring saved nodes of older versions up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_pending: dict[tuple[str, str], list[tuple[int, Callable[[SavedNodeEdit], None]]]] = {}


class SavedNodeEdit:
    """A saved node as a migration sees it: values and links by input name, to be changed in place."""

    def __init__(self, values: dict[str, Any], links: dict[str, Any], mapped: list[str]) -> None:
        self.values = values
        """Saved values by input name; what is absent has the default of the version that saved it."""
        self.links = links
        """Saved links by input name."""
        self.mapped = mapped
        """Inputs that the node is mapped over."""
        self.renamed_outputs: dict[str, str] = {}
        """New output names by old ones; links of other nodes follow."""

    def rename_input(self, old: str, new: str) -> None:
        """Move value and links of an input to a new name."""
        for place in (self.values, self.links):
            if old in place:
                place[new] = place.pop(old)
        self.mapped[:] = [new if name == old else name for name in self.mapped]

    def rename_output(self, old: str, new: str) -> None:
        """Give an output a new name; links and workflow outputs that use it follow."""
        self.renamed_outputs[old] = new

    def remove_input(self, name: str) -> None:
        """Forget an input that the new version no longer has."""
        self.values.pop(name, None)
        self.links.pop(name, None)
        self.mapped[:] = [kept for kept in self.mapped if kept != name]

    def keep_default(self, name: str, old_default: Any) -> None:
        """Write down the old default where neither value nor link was saved, after a default has changed."""
        if name not in self.values and name not in self.links:
            self.values[name] = old_default


Migration = Callable[[SavedNodeEdit], None]


def migration(from_version: int) -> Callable[[Migration], staticmethod[[SavedNodeEdit], None]]:
    """Mark a function in a node class as the step from one version to the next.

        @migration(from_version=1)
        def _(saved):
            saved.rename_input("cfg", "guidance")

    All steps may share the name `_`.
    """

    def remember(step: Migration) -> staticmethod[[SavedNodeEdit], None]:
        class_name = step.__qualname__.rpartition(".")[0]
        _pending.setdefault((step.__module__, class_name), []).append((from_version, step))
        # pydantic would take a plain function named `_` for a private attribute.
        return staticmethod(step)

    return remember


def take_migrations(module: str, class_name: str) -> list[tuple[int, Migration]]:
    """The steps written in a class body, once; called when the class is marked with `@node`."""
    return _pending.pop((module, class_name), [])
