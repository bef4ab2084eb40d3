"""What commands write."""

from __future__ import annotations

import json

import pytest

from graphflow.cli.output import count_text, finding_json, finding_lines, seconds_text, size_text, table, to_json
from graphflow.errors import Finding


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_600, "1 MB"), (14_200_000, "14.2 MB"), (2e12, "2 TB")],
)
def test_sizes_are_readable(count: int, text: str) -> None:
    assert size_text(count) == text


def test_times_and_counts_are_readable() -> None:
    assert [seconds_text(0.237), seconds_text(3.14), seconds_text(125.0)] == ["0.24 s", "3.1 s", "2 min 5 s"]
    assert [count_text(1, "node"), count_text(12345, "node")] == ["1 node", "12,345 nodes"]


def test_json_holds_only_what_json_knows() -> None:
    text = to_json({"loss": float("nan"), "path": "caf\udce9", "prompt": "ein Fuchs, 狐"})
    assert json.loads(text) == {"loss": None, "path": "caf\udce9", "prompt": "ein Fuchs, 狐"}
    assert "狐" in text
    assert "\n" not in to_json("two\nlines")


def test_findings_say_what_applies() -> None:
    finding = Finding("0 is too small; use 1 to 1000.", file="fox.json", node="sample", input="steps", value=0)
    assert finding_json(finding) == {
        "severity": "error",
        "code": "invalid",
        "message": "0 is too small; use 1 to 1000.",
        "file": "fox.json",
        "node": "sample",
        "input": "steps",
        "value": 0,
        "text": 'fox.json, node "sample", input "steps": 0 is too small; use 1 to 1000.',
    }
    assert finding_lines([Finding("old.", severity="warning")]) == ["warning: old."]


def test_tables_are_not_cut_when_no_terminal_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    table(("name", "size"), [("a" * 200, "[bold]1[/bold]")], right=("size",))
    text = capsys.readouterr().out
    assert "a" * 200 in text
    assert "[bold]1[/bold]" in text
    assert "\x1b" not in text
