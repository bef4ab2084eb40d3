"""The command line of this checkout, as a new user has it: a command on PATH and an empty home."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import graphflow

ROOT = Path(graphflow.__file__).resolve().parents[1]


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Environment variables with `graphflow` and `python` on PATH, and nothing of the one who runs the tests."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, words in (("graphflow", "-m graphflow"), ("python", "")):
        command = commands / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHFLOW_", "PYTEST_"))}
    return {
        **kept,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GRAPHFLOW_HOME": str(tmp_path / "home"),
    }
