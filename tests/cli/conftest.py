"""A home, a pack of small nodes and a workflow on plain numbers for the tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphflow.cli import main

NUMBERS = Path(__file__).parent / "numbers"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """What a command line left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of stdout."""
        return self.out.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """JSON lines of stdout."""
        return [json.loads(line) for line in self.lines]


CommandLine = Callable[..., Done]
SaveWorkflow = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GRAPHFLOW_HOME for one test, with the pack of numbers, in a working folder of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name in [name for name in os.environ if name.startswith("GRAPHFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRAPHFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRAPHFLOW_PACKS", str(NUMBERS))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for processes of their own, which start in another folder
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "home"


@pytest.fixture
def graphflow(home: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Call the command line in this process."""

    def call(*arguments: str | Path) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def process(home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process of its own."""

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "graphflow", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return start


@pytest.fixture
def save(home: Path) -> SaveWorkflow:
    """Write a workflow into the working folder."""

    def write(file: str, nodes: dict[str, Any], **parts: Any) -> Path:
        path = Path(file)
        path.write_text(json.dumps({"graphflow": 1, **parts, "nodes": nodes}), encoding="utf-8")
        return path

    return write


@pytest.fixture
def sum_file(save: SaveWorkflow) -> Path:
    """2 + 3, spelled out and saved; its parts are exposed."""
    return save(
        "sum.json",
        {
            "two": {"type": "numbers.number@1", "values": {"value": 2}},
            "three": {"type": "numbers.number@1", "values": {"value": 3}},
            "add": {"type": "numbers.add@2", "links": {"left": "two.float", "right": "three.float"}},
            "spell": {"type": "numbers.spell@1", "links": {"number": "add.float"}},
            "save": {"type": "numbers.save_note@1", "links": {"text": "spell.str"}},
        },
        name="Sum",
        params={"first": "two.value", "prefix": "save.prefix"},
        outputs={"sum": "add.float", "text": "spell.str", "note": "save.file"},
    )


@pytest.fixture
def slow_file(save: SaveWorkflow) -> Path:
    """A thousand steps of 20 ms behind a count that is done at once, then a note."""
    return save(
        "slow.json",
        {
            "quick": {"type": "numbers.count@1", "values": {"steps": 3}},
            "slow": {
                "type": "numbers.count@1",
                "values": {"steps": 1000, "pause": 0.02},
                "links": {"start": "quick.float"},
            },
            "spell": {"type": "numbers.spell@1", "links": {"number": "slow.float"}},
            "save": {"type": "numbers.save_note@1", "links": {"text": "spell.str"}},
        },
        params={"steps": "slow.steps", "pause": "slow.pause"},
    )
