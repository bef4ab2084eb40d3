"""`graphflow packs`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def broken(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pack with a node that works beside a file that cannot be imported."""
    folder = Path("broken")
    folder.mkdir()
    (folder / "pack.toml").write_text('name = "broken"\nversion = "0.1"\n')
    (folder / "bad.py").write_text("import nowhere_to_be_found\n")
    (folder / "good.py").write_text(
        "from graphflow import Node, NodeContext, node\n\n\n"
        '@node("one")\nclass One(Node):\n    """One."""\n\n'
        "    def run(self, ctx: NodeContext) -> int:\n        return 1\n"
    )
    monkeypatch.setenv("GRAPHFLOW_PACKS", os.pathsep.join([os.environ["GRAPHFLOW_PACKS"], str(folder.absolute())]))
    return folder


def test_packs_are_listed_with_their_place(graphflow: Callable[..., Any]) -> None:
    done = graphflow("packs", "list")
    rows = [line.split()[:3] for line in done.lines[2:]]
    assert done.code == 0
    assert ["numbers", "1.2.0", "7"] in rows
    assert rows[0][0] == "core"


def test_a_pack_that_fails_is_listed_with_its_traceback_and_stops_nothing(
    graphflow: Callable[..., Any], broken: Path, save: Callable[..., Path]
) -> None:
    done = graphflow("packs", "list")
    assert done.code == 0
    assert 'the pack "broken"' in done.out
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in done.out
    listed = {pack["name"]: pack for pack in json.loads(graphflow("packs", "list", "--json").out)}
    assert listed["broken"]["nodes"] == 1
    assert listed["broken"]["files"][0]["file"] == "bad.py"
    file = save("one.json", {"one": {"type": "broken.one@1"}}, outputs={"one": "one.int"})
    assert graphflow("run", file).lines == ["one: 1"]
    assert "broken" in graphflow("nodes").err


def test_a_new_pack_passes_its_check_and_can_be_added(graphflow: Callable[..., Any], home: Path) -> None:
    made = graphflow("packs", "new", "glow")
    assert made.code == 0
    assert str(Path("glow/pack.toml")) in made.lines
    assert all(Path(line).is_file() for line in made.lines)
    checked = graphflow("packs", "check", "glow")
    assert (checked.code, checked.out) == (0, "")
    added = graphflow("packs", "add", "glow")
    assert (added.code, added.lines) == (0, ["glow"])
    assert (home / "packs" / "glow" / "pack.toml").is_file()
    again = graphflow("packs", "add", "glow")
    assert again.code == 1
    assert "there already" in again.err
    assert graphflow("packs", "add", "glow", "--replace").code == 0
    assert 'name = "glow"' in graphflow("packs", "lock", "-o", "-").out


def test_the_check_tells_what_is_wrong_with_a_pack(graphflow: Callable[..., Any], broken: Path) -> None:
    done = graphflow("packs", "check", broken)
    assert done.code == 1
    assert any("bad.py" in line and "nowhere_to_be_found" in line for line in done.lines)


def test_the_lock_is_written_to_a_file(graphflow: Callable[..., Any]) -> None:
    done = graphflow("packs", "lock")
    assert (done.code, done.lines) == (0, ["graphflow.lock"])
    assert 'name = "numbers"' in Path("graphflow.lock").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["new", "Glow!"], "Glow!"),
        (["add", "no such thing"], "no such thing"),
        (["check", "nowhere"], "nowhere"),
    ],
)
def test_wrong_names_are_1_and_told(graphflow: Callable[..., Any], arguments: list[str], told: str) -> None:
    done = graphflow("packs", *arguments)
    assert done.code == 1
    assert told in done.out + done.err
    assert "Traceback" not in done.err
