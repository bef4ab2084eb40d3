"""Exit codes, and what to tell when a command cannot go on."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from enum import IntEnum
from pathlib import Path

from graphflow.errors import GraphflowError, NodeFailed, RunCancelled


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    WRONG_INPUT = 1
    """The workflow, its input or the named thing is wrong."""
    USAGE = 2
    FAILED = 3
    """A node failed, or graphflow itself."""
    CANCELLED = 130


def code_of(stop: SystemExit) -> int:
    """The exit code that a SystemExit stands for."""
    if isinstance(stop.code, int):
        return stop.code
    return ExitCode.DONE if stop.code is None else ExitCode.WRONG_INPUT


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error that ended a command."""
    if isinstance(error, KeyboardInterrupt | RunCancelled):
        return ExitCode.CANCELLED
    if isinstance(error, NodeFailed):
        return ExitCode.FAILED
    return ExitCode.WRONG_INPUT if _is_for_user(error) else ExitCode.FAILED


def error_text(error: BaseException, home: Path | None = None) -> str:
    """What to tell the user: the error's own words, or, for an error in graphflow, where the report of it lies."""
    if isinstance(error, KeyboardInterrupt | RunCancelled):
        return "cancelled"
    if isinstance(error, OSError) and not isinstance(error, GraphflowError):
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror or error}"
    if isinstance(error, GraphflowError):
        return str(error)
    report = write_report("".join(traceback.format_exception(error)), home)
    place = f"the report is in {report}" if report is not None else "no report could be written"
    return f"graphflow failed with {type(error).__name__}: {_first_line(error)}; {place}."


def tell_error(error: BaseException, home: Path | None = None, *, dev: bool = False) -> int:
    """Print what went wrong to stderr, with the traceback for developers, and return the exit code."""
    from graphflow.cli.output import notice

    if isinstance(error, BrokenPipeError):
        return ExitCode.DONE  # the reader has what it wanted, as with `| head`
    if dev:
        notice("".join(traceback.format_exception(error)).rstrip())
    notice(error_text(error, home))
    return exit_code(error)


def write_report(shown: str, home: Path | None = None) -> Path | None:
    """Write the traceback of an error in graphflow, and what else helps to find it, to `GRAPHFLOW_HOME/logs`, else to the temporary folder.

    The path of the report; None when neither folder can be written.
    """
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = _report(shown)
    for folder in (_logs_folder(home), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
        except OSError:
            continue
    return None


def _is_for_user(error: BaseException) -> bool:
    return isinstance(error, GraphflowError | OSError)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"


def _logs_folder(home: Path | None) -> Path:
    from graphflow.settings import default_home

    return (home or Path(os.environ.get("GRAPHFLOW_HOME") or default_home())) / "logs"


def _report(shown: str) -> str:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from graphflow import __version__

    versions = [f"graphflow {__version__}", f"Python {platform.python_version()}", platform.platform()]
    for name in ("torch", "diffusers", "transformers", "pydantic"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} is not installed")
    return "\n".join(["graphflow error report", *versions, f"arguments: {sys.argv[1:]}", "", shown])
