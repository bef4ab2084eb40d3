"""`graphflow check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_right_workflows_are_0(graphflow: Callable[..., Any], sum_file: Path, slow_file: Path) -> None:
    done = graphflow("check", sum_file, slow_file)
    assert (done.code, done.out, done.err) == (0, "", "2 workflows checked: nothing is wrong\n")


def test_every_finding_of_every_file_is_told(
    graphflow: Callable[..., Any], save: Callable[..., Path], sum_file: Path
) -> None:
    save(
        "bad.json",
        {
            "two": {"type": "numbers.number@1", "values": {"value": "2", "size": 1}},
            "spell": {"type": "numbers.spell@1", "links": {"number": "three.float"}},
        },
    )
    done = graphflow("check", "bad.json", sum_file, "nowhere.json")
    assert done.code == 1
    assert len(done.lines) == 4
    assert [line.partition(":")[0] for line in done.lines][-1] == "nowhere.json"
    assert all(any(word in line for line in done.lines) for word in ('"value"', '"size"', '"number"'))


def test_json_is_a_list_of_findings(graphflow: Callable[..., Any], save: Callable[..., Path], sum_file: Path) -> None:
    file = save("bad.json", {"two": {"type": "numbers.number@1", "values": {"value": 5000}}})
    done = graphflow("check", file, "--json")
    (finding,) = json.loads(done.out)
    assert done.code == 1
    assert (finding["file"], finding["node"], finding["input"], finding["value"]) == ("bad.json", "two", "value", 5000)
    assert graphflow("check", sum_file, "--json").out == "[]\n"
