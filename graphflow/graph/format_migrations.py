"""Steps from older file formats to the present one, by the number that the file carries.

A step changes the parsed JSON object in place. The table is the history of the format: number 1 is the first, so it is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphflow.graph.document import FORMAT

FormatStep = Callable[[dict[str, Any]], None]

STEPS: dict[int, FormatStep] = {}
"""Step from each older format to the next one."""


def upgrade(saved: dict[str, Any], steps: Mapping[int, FormatStep] = STEPS, *, newest: int = FORMAT) -> list[str]:
    """Bring a parsed file to the newest format, in place. Returns what was done, as sentences.

    Raises KeyError when no step leads on from a number in between.
    """
    done = []
    while saved["graphflow"] < newest:
        number = saved["graphflow"]
        steps[number](saved)
        saved["graphflow"] = number + 1
        done.append(f"file format {number} became {number + 1}")
    return done
