"""Gathering what a check finds, so that all of it is reported together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from graphflow.authoring.describe import TypeSchema
from graphflow.errors import Finding, Severity, WorkflowError

_GUESSES = 20
"""Near spellings looked for in one check: comparing names is slow, and a file with hundreds of wrong ones has another problem."""


class FindingList:
    """The findings of one check, without repetitions, in the order they were made."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, str, str, str], Finding] = {}
        self._guesses = _GUESSES

    def add(
        self,
        message: str,
        *,
        file: str = "",
        node: str = "",
        input: str = "",
        code: str = "invalid",
        value: Any = None,  # anything that JSON can hold
        accepted: str = "",
        line: int | None = None,
        column: int | None = None,
        severity: Severity = "error",
    ) -> None:
        """Note one finding; the same sentence about the same place is kept once."""
        found = Finding(message, file, node, input, code, value, accepted, line, column, severity)
        self._findings.setdefault((file, node, input, message), found)

    def extend(self, findings: Iterable[Finding]) -> None:
        """Note findings that were made elsewhere."""
        for found in findings:
            self._findings.setdefault((found.file, found.node, found.input, found.message), found)

    def near(self, word: str, known: Iterable[str]) -> str:
        """The end of a sentence about an unknown word: what was probably meant, else what is known."""
        names = list(known)
        if self._guesses > 0:
            self._guesses -= 1
            close = difflib.get_close_matches(word, names[:2000], n=3, cutoff=0.6)
            if close:
                return f"did you mean {or_list(close)}?"
        return f"known are {name_list(names)}." if names else "there are none."

    @property
    def found(self) -> list[Finding]:
        """All findings so far."""
        return list(self._findings.values())

    @property
    def has_errors(self) -> bool:
        """Whether one of them is more than a warning."""
        return any(found.severity == "error" for found in self._findings.values())

    def raise_errors(self) -> None:
        """Raise WorkflowError with all findings when one of them is an error."""
        if self.has_errors:
            raise WorkflowError(self.found)


def or_list(names: Iterable[str]) -> str:
    """`"a" or "b"`."""
    return " or ".join(f'"{name}"' for name in names)


def name_list(names: Iterable[str], most: int = 20) -> str:
    """`a, b, c`, cut after `most`."""
    known = list(names)
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")


def wanted_link(type: TypeSchema) -> str:
    """`a link from an output of type Image`, or `links from outputs of type Image` for a list."""
    if type.kind == "list" and type.item is not None:
        return f"links from outputs of type {type.item.name}"
    return f"a link from an output of type {type.name}"


def quoted(value: Any) -> str:  # anything that was found where something else belongs
    """A value as JSON for a message, cut to 80 characters."""
    import json

    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
