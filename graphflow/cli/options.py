"""Options that several commands share, checked while the command line is parsed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _device(text: str) -> str:
    if _DEVICE.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is no device; use cpu, cuda, cuda:N, mps or auto.")
    return text


def _vram(text: str) -> str:
    from graphflow.settings import parse_size

    try:
        parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None
    return text


def _assignment(text: str) -> str:
    if "=" not in text.lstrip("="):
        raise typer.BadParameter(f"{text!r} sets nothing; write NAME=VALUE, such as seed=8 or sample.steps=30.")
    return text


File = Annotated[Path, typer.Argument(metavar="FILE", help="A workflow, or a picture that carries one.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Workflows, or pictures that carry one.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        parser=_assignment,
        help="Set an exposed name or NODE.INPUT. @PATH reads a file's text; lists and objects are JSON. May be repeated.",
    ),
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", metavar="NODE", help="Run only what this node needs. May be repeated.")
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="cpu|cuda|cuda:N|mps", parser=_device, help="Where models compute.")
]
Vram = Annotated[
    str | None,
    typer.Option("--vram", metavar="SIZE", parser=_vram, help="Memory for weights on the device, such as 8GiB."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]
