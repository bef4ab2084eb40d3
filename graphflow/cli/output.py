"""What commands write: results to stdout, everything about them to stderr. UTF-8 in every locale."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from graphflow.errors import Finding


def prepare_streams() -> None:
    """Make stdout and stderr write UTF-8, and file names that are not UTF-8 as the bytes that they are."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def finish_streams(code: int) -> int:
    """Write out what is left, and return the exit code; what cannot be written was told before, or nobody reads it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(stream)
    return code


def line(text: str) -> None:
    """A line of results on stdout, at once. Raises BrokenPipeError when nobody reads any more."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def json_line(value: Any) -> None:
    """A JSON value on one line of stdout, at once."""
    line(to_json(value))


def notice(text: str) -> None:
    """Something for the person at the terminal, on stderr."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def to_json(value: Any) -> str:
    """JSON on one line. Numbers that JSON does not know (NaN, infinity) become null; text that is not Unicode is escaped."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding for machines; what does not apply is left out. `text` is the line that people get."""
    named = {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "file": finding.file or None,
        "node": finding.node or None,
        "input": finding.input or None,
        "value": finding.value,
        "accepted": finding.accepted or None,
        "line": finding.line,
        "column": finding.column,
        "text": str(finding),
    }
    return {name: value for name, value in named.items() if value is not None}


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Findings as people read them, one each; warnings say that they are."""
    return [f"warning: {finding}" if finding.severity == "warning" else str(finding) for finding in findings]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """A table on stdout: in the terminal's width, and uncut for other readers. Columns named in `right` are aligned right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.measure(shown, options=console.options.update(width=100_000)).maximum, 1)
    with console.capture() as captured:
        console.print(shown)
    line("\n".join(text.rstrip() for text in captured.get().splitlines()))


def size_text(count: float) -> str:
    """Bytes as people read them: `512 B`, `3.4 MB`, `12 GB` (powers of ten)."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.3g} {units[0]}"


def seconds_text(seconds: float) -> str:
    """A time as people read it: `0.24 s`, `3.1 s`, `2 min 5 s`."""
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def count_text(count: int, one: str, many: str = "") -> str:
    """`1 node`, `3 nodes`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _silence(stream: TextIO) -> None:
    """Send the rest of a stream nowhere, so that Python does not complain about it at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return
