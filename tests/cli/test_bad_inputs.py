"""Bad input by every door: the documented exit code, one clear message for each thing that is wrong, never a traceback."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOOD = {
    "graphflow": 1,
    "params": {"value": "number.value", "text": "words.text"},
    "nodes": {
        "number": {"type": "numbers.number@1", "values": {"value": 2}},
        "words": {"type": "numbers.words@1", "values": {"text": "a"}},
        "add": {"type": "numbers.add@2", "links": {"left": "number.float"}},
        "count": {"type": "numbers.count@1"},
    },
}


def changed(**parts: Any) -> bytes:
    """The good workflow with parts replaced, or left out where None."""
    return json.dumps({name: part for name, part in {**GOOD, **parts}.items() if part is not None}).encode()


def node(**parts: Any) -> bytes:
    """The good workflow with one node more."""
    return changed(nodes={**GOOD["nodes"], "more": {"type": "numbers.add@2", **parts}})  # type: ignore[dict-item]


def picture(*chunks: bytes) -> bytes:
    """A PNG of one pixel, with more chunks."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    texts = b"".join(chunk(b"tEXt", text) for text in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + texts + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


FILES: list[tuple[str, bytes, str]] = [
    ("empty", b"", ""),
    ("blank", b" \n", ""),
    ("not JSON", b"hello", "line 1, column 1"),
    ("cut off", changed()[:-2], "line 1"),
    ("a list", b"[]", "JSON object"),
    ("a number", b"7", ""),
    ("not UTF-8", b'{"graphflow": 1, "name": "\xff\xfe"}', ""),
    ("deep nesting", b"[" * 100_000, ""),
    ("null bytes", bytes(1000), ""),
    ("no format", changed(graphflow=None), "graphflow"),
    ("a newer format", changed(graphflow=2), "2"),
    ("a format in words", changed(graphflow="one"), "one"),
    ("no nodes", changed(nodes=[]), "nodes"),
    ("an unknown key", changed(node={}), '"node"'),
    ("a node that is text", changed(nodes={"a": "numbers.add@2"}), "a"),
    ("an id with blanks", changed(nodes={"my node": {"type": "numbers.add@2"}}), "my node"),
    ("no type", changed(nodes={"a": {}}), "type"),
    ("an unknown type", node(type="numbers.ad@2"), "numbers.add"),
    ("an unknown pack", node(type="glow.place@1"), "glow"),
    ("a newer node", node(type="numbers.add@9"), "9"),
    ("an unknown input", node(values={"lft": 1}), "left"),
    ("text for a number", node(values={"left": "1"}), "a number"),
    ("null for a number", node(values={"left": None}), "a number"),
    ("too large", changed(nodes={"a": {"type": "numbers.number@1", "values": {"value": 1e9}}}), "-1000 to 1000"),
    ("not finite", changed().replace(b'"value": 2', b'"value": NaN'), ""),
    ("value and link", node(values={"left": 1}, links={"left": "number.float"}), "left"),
    ("a link to nowhere", node(links={"left": "nobody.float"}), "nobody"),
    ("an unknown output", node(links={"left": "number.flaot"}), "float"),
    ("a link without output", node(links={"left": "number"}), "number"),
    ("types that do not fit", node(links={"left": "words.str"}), "str"),
    ("a link to itself", node(links={"left": "more.float"}), "more"),
    ("two links on one input", node(links={"left": ["number.float", "add.float"]}), "left"),
    ("a map over no list", node(values={"left": 1}, map=["left"]), "left"),
    ("a map over lists of two lengths", node(values={"left": [1, 2], "right": [1]}, map=["left", "right"]), "2"),
    ("a parameter of no node", changed(params={"seed": "nobody.seed"}), "nobody"),
    ("an output of no node", changed(outputs={"image": "nobody.image"}), "nobody"),
    ("a subgraph that is not there", node(type="workflow:nowhere.json"), "nowhere.json"),
    ("a subgraph of itself", node(type="workflow:bad.json"), "bad.json"),
    ("a picture without workflow", picture(), "workflow"),
    ("a picture with damaged workflow", picture(b"graphflow\0{"), ""),
    ("a picture cut off", picture(b"graphflow\0" + changed())[:60], ""),
]

COMMANDS: list[tuple[list[str], int, str]] = [
    (["run", "nowhere.json"], 1, "nowhere.json"),
    (["run", "."], 1, "."),
    (["run", "good.json", "--set", "nobody=1"], 1, "nobody"),
    (["run", "good.json", "--set", "number.size=1"], 1, "size"),
    (["run", "good.json", "--set", "nobody.value=1"], 1, "nobody"),
    (["run", "good.json", "--set", "value="], 1, "value"),
    (["run", "good.json", "--set", "value=[1]"], 1, "value"),
    (["run", "good.json", "--set", "value=1e99"], 1, "-1000 to 1000"),
    (["run", "good.json", "--set", "count.steps=2.5"], 1, "steps"),
    (["run", "good.json", "--set", "count.steps=0"], 1, "steps"),
    (["run", "good.json", "--set", "text=@nowhere.txt"], 1, "nowhere.txt"),
    (["run", "good.json", "--set", "value"], 2, "NAME=VALUE"),
    (["run", "good.json", "--target", "nobody"], 1, "nobody"),
    (["run", "good.json", "--vram", "-1"], 2, "size"),
    (["run", "good.json", "--device", "tpu"], 2, "tpu"),
    (["run", "good.json", "other.json"], 2, "other.json"),
    (["run", "good.json", "--out", "good.json"], 1, "--out"),
    (["plan", "nowhere.json"], 1, "nowhere.json"),
    (["plan", "good.json", "--target", "nobody"], 1, "nobody"),
    (["check"], 2, "FILE"),
    (["migrate", "nowhere.json"], 1, "nowhere.json"),
    (["migrate", "picture.png"], 1, "picture"),
    (["nodes", "glow.place"], 1, "glow.place"),
    (["nodes", ""], 1, "not installed"),
    (["models", "inspect", "../../etc/passwd"], 1, "passwd"),
    (["models", "inspect", "good.json"], 1, "good.json"),
    (["cache", "--explain", "nobody"], 1, "nobody"),
    (["packs", "lock", "-o", "nowhere/lock.toml"], 1, "nowhere"),
]


@pytest.mark.parametrize(("data", "told"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_bad_file_is_refused_by_run_and_check_alike(graphflow: Callable[..., Any], data: bytes, told: str) -> None:
    Path("bad.json").write_bytes(data)
    done = graphflow("run", "bad.json")
    checked = graphflow("check", "bad.json")
    assert (done.code, checked.code) == (1, 1)
    assert done.out == ""
    assert done.err.splitlines() == checked.lines
    assert all(line.startswith("bad.json") and not line.endswith(":") for line in checked.lines)
    assert told in done.err
    assert "Traceback" not in done.err
    assert len(checked.lines) == len(set(checked.lines))


@pytest.mark.parametrize(
    ("arguments", "code", "told"), COMMANDS, ids=[" ".join(arguments) for arguments, _, _ in COMMANDS]
)
def test_a_bad_command_line_is_told(graphflow: Callable[..., Any], arguments: list[str], code: int, told: str) -> None:
    Path("good.json").write_bytes(changed())
    Path("picture.png").write_bytes(picture(b"graphflow\0" + changed()))
    done = graphflow(*arguments)
    assert done.code == code
    assert told in done.err
    assert "Traceback" not in done.err + done.out
    assert code == 2 or len(done.err.splitlines()) == 1


def test_the_good_workflow_is_good(graphflow: Callable[..., Any]) -> None:
    Path("good.json").write_bytes(changed())
    Path("picture.png").write_bytes(picture(b"graphflow\0" + changed()))
    assert graphflow("run", "good.json").code == 0
    assert graphflow("run", "picture.png", "--set", "value=3").code == 0
