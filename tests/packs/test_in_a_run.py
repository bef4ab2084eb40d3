"""Nodes and port types of a pack, run, cached, and read again by another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphflow
from tests.packs.conftest import WritePack

NODES = """
    from dataclasses import dataclass

    from graphflow import Node, NodeContext, PortType, node


    @dataclass(frozen=True, eq=False)
    class Word(PortType):
        text: str


    @node("say", cache="disk", lane="io")
    class Say(Node):
        text: str = "fox"

        def run(self, ctx: NodeContext) -> Word:
            return Word(self.text)


    @node("shout", cache="disk", lane="io", sink=True)
    class Shout(Node):
        word: Word
        mark: str = "!"

        def run(self, ctx: NodeContext) -> str:
            return self.word.text.upper() + self.mark
"""
WORKFLOW = {
    "graphflow": 1,
    "outputs": {"text": "shout.str"},
    "nodes": {"say": {"type": "words.say@1"}, "shout": {"type": "words.shout@1", "links": {"word": "say.word"}}},
}


@pytest.fixture(params=["folder", "package"])
def site(request: pytest.FixtureRequest, tmp_path: Path, write_pack: WritePack) -> Path:
    """A folder for PYTHONPATH; the pack is in it as an installed package, or in the pack folder and not in it."""
    site = tmp_path / "site"
    if request.param == "folder":
        write_pack("words", {"text/words.py": NODES})
        return site
    folder = write_pack("words", {"text/words.py": NODES}, inside=site)
    folder.rename(site / "words_of_packs")
    (site / "words-0.1.0.dist-info").mkdir()
    (site / "words-0.1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: words\nVersion: 0.1.0\n")
    (site / "words-0.1.0.dist-info" / "entry_points.txt").write_text("[graphflow.packs]\nwords = words_of_packs\n")
    return site


def test_values_of_a_packs_own_type_come_out_of_the_cache(home: Path, tmp_path: Path, site: Path) -> None:
    file = tmp_path / "shout.json"
    file.write_text(json.dumps(WORKFLOW))
    environment = {**os.environ, "GRAPHFLOW_HOME": str(home), "GRAPHFLOW_PACKS": ""}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(graphflow.__file__).parents[1]), str(site)])

    def run(*options: str) -> list[dict[str, object]]:
        command = [sys.executable, "-m", "graphflow", "run", str(file), "--json", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    first, second = run(), run("--set", "shout.mark=?")
    assert first[-1]["outputs"] == {"text": "FOX!"}
    assert second[-1]["outputs"] == {"text": "FOX?"}
    started = [event["node"] for event in second if event["event"] == "node_started"]
    assert started == ["shout"], second


def test_an_edited_node_runs_again(home: Path, tmp_path: Path, write_pack: WritePack) -> None:
    folder = write_pack("words", {"text/words.py": NODES})
    file = tmp_path / "shout.json"
    file.write_text(json.dumps(WORKFLOW))
    environment = {**os.environ, "GRAPHFLOW_HOME": str(home), "GRAPHFLOW_PACKS": ""}

    def last_line() -> dict[str, object]:
        command = [sys.executable, "-m", "graphflow", "run", str(file), "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))

    assert last_line()["outputs"] == {"text": "FOX!"}
    source = folder / "text" / "words.py"
    source.write_text(source.read_text().replace(".upper()", ".title()"))
    changed = last_line()
    assert changed["outputs"] == {"text": "Fox!"}
    assert last_line()["executed"] == 0
