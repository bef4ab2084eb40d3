"""`graphflow run`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CommandLine = Callable[..., Any]


def artifacts(home: Path) -> list[Path]:
    return sorted((home / "artifacts").rglob("*.txt"))


def test_paths_and_plain_outputs_go_to_stdout_and_the_rest_to_stderr(
    graphflow: CommandLine, sum_file: Path, home: Path
) -> None:
    done = graphflow("run", sum_file)
    (saved,) = artifacts(home)
    assert done.code == 0
    assert done.lines == [str(saved), "sum: 5.0", "text: the number is 5"]
    assert saved.read_text() == "the number is 5"
    assert done.err.startswith("5 nodes ran, 0 cached, ")
    assert len(done.err.splitlines()) == 1


def test_set_takes_exposed_names_and_node_inputs(graphflow: CommandLine, sum_file: Path) -> None:
    done = graphflow("run", sum_file, "--set", "first=10", "--set", "three.value=-0.5")
    assert "sum: 9.5" in done.lines


def test_set_reads_text_from_files(graphflow: CommandLine, save: Callable[..., Path]) -> None:
    Path("prompt.txt").write_text("ein Fuchs = 狐\nund eine Eule", encoding="utf-8")
    file = save(
        "words.json",
        {
            "words": {"type": "numbers.words@1", "values": {"text": "old"}},
        },
        params={"prompt": "words.text"},
        outputs={"text": "words.str"},
    )
    assert graphflow("run", file, "--set", "prompt=@prompt.txt").lines == [
        'text: "ein Fuchs = 狐\\nund eine Eule"',
    ]
    assert graphflow("run", file, "--set", "prompt=a=b").lines == ["text: a=b"]
    assert graphflow("run", file, "--set", "prompt=@@home").lines == ["text: @home"]


def test_every_wrong_assignment_is_told_at_once(graphflow: CommandLine, sum_file: Path, home: Path) -> None:
    done = graphflow("run", sum_file, "--set", "second=1", "--set", "first=lots", "--set", "prefix=@nowhere.txt")
    assert done.code == 1
    assert done.out == ""
    assert len(done.err.splitlines()) == 3
    assert all(word in done.err for word in ('"second"', "lots", "nowhere.txt"))
    assert "Traceback" not in done.err
    assert not artifacts(home)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "missing.json"),
        ("{", "line 1, column 2"),
        ('{"graphflow": 99, "nodes": {}}', "99"),
        ('{"graphflow": 1, "nodes": {"a": {"type": "numbers.nmber@1"}}}', "numbers.number"),
        ('{"graphflow": 1, "nodes": {"a": {"type": "numbers.number@1", "values": {"value": 5000}}}}', "-1000 to 1000"),
    ],
)
def test_wrong_workflows_are_1_and_told(graphflow: CommandLine, text: str | None, told: str) -> None:
    if text is not None:
        Path("missing.json").write_text(text)
    done = graphflow("run", "missing.json")
    assert done.code == 1
    assert done.out == ""
    assert "missing.json" in done.err
    assert told in done.err
    assert "Traceback" not in done.err


def test_an_unknown_target_is_told_before_anything_runs(graphflow: CommandLine, sum_file: Path, home: Path) -> None:
    done = graphflow("run", sum_file, "--target", "svae")
    assert done.code == 1
    assert 'there is no node "svae"' in done.err
    assert not artifacts(home)


def test_target_runs_only_what_it_needs(graphflow: CommandLine, sum_file: Path, home: Path) -> None:
    done = graphflow("run", sum_file, "--target", "add")
    assert done.code == 0
    assert done.err.startswith("3 nodes ran")
    assert not artifacts(home)


def test_a_failed_node_is_3_and_other_branches_finish(
    graphflow: CommandLine, save: Callable[..., Path], home: Path
) -> None:
    file = save(
        "half.json",
        {
            "words": {"type": "numbers.words@1", "values": {"text": "whole"}},
            "save": {"type": "numbers.save_note@1", "links": {"text": "words.str"}},
            "bad": {"type": "numbers.fail@1"},
            "spell": {"type": "numbers.spell@1", "links": {"number": "bad.float"}},
            "lost": {"type": "numbers.save_note@1", "links": {"text": "spell.str"}},
        },
    )
    done = graphflow("run", file)
    (saved,) = artifacts(home)
    assert done.code == 3
    assert done.lines == [str(saved)]
    assert 'node "bad" (numbers.fail) failed: ValueError: it went wrong' in done.err
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("failed: ")
    assert "Traceback" in graphflow("run", file, "--dev").err


def test_the_second_run_executes_nothing_in_another_process(
    process: Callable[..., subprocess.Popen[str]], slow_file: Path
) -> None:
    arguments = ["run", slow_file, "--set", "steps=5"]
    first, told = process(*arguments).communicate()
    assert told.startswith("4 nodes ran")
    again, told = process(*arguments).communicate()
    assert told.startswith("0 nodes ran")
    assert again == first
    _, told = process("run", slow_file, "--set", "steps=6").communicate()
    assert told.startswith("3 nodes ran, 1 cached")


def test_no_cache_runs_everything(graphflow: CommandLine, slow_file: Path) -> None:
    arguments = ["run", slow_file, "--set", "steps=5"]
    assert graphflow(*arguments).err.startswith("4 nodes ran")
    assert graphflow(*arguments, "--no-cache").err.startswith("4 nodes ran, 0 cached")


def test_out_gets_readable_names_that_never_overwrite(graphflow: CommandLine, sum_file: Path) -> None:
    first = graphflow("run", sum_file, "--out", "results")
    other = graphflow("run", sum_file, "--out", "results", "--set", "first=7")
    again = graphflow("run", sum_file, "--out", "results")
    assert [done.lines[0] for done in (first, other, again)] == [
        str(Path("results/note.txt")),
        str(Path("results/note_2.txt")),
        str(Path("results/note.txt")),
    ]
    assert Path("results/note.txt").read_text() == "the number is 5"
    assert Path("results/note_2.txt").read_text() == "the number is 10"


def test_out_must_be_a_folder_that_can_be_written(graphflow: CommandLine, sum_file: Path, home: Path) -> None:
    Path("taken").write_text("")
    done = graphflow("run", sum_file, "--out", "taken")
    assert done.code == 1
    assert "--out taken: the folder cannot be made" in done.err
    assert not artifacts(home)


def test_json_is_one_event_a_line_and_ends_with_run_finished(graphflow: CommandLine, sum_file: Path) -> None:
    done = graphflow("run", sum_file, "--json", "--out", "results")
    events = done.events
    assert done.code == 0
    assert [event["event"] for event in events].count("node_finished") == 5
    assert events[0]["event"] == "run_started"
    assert len({event["run"] for event in events}) == 1
    (artifact,) = [event for event in events if event["event"] == "artifact_ready"]
    assert artifact["path"] == str(Path("results/note.txt"))
    assert artifact["node"] == "save"
    end = events[-1]
    assert (end["event"], end["status"]) == ("run_finished", "succeeded")
    assert (end["outputs"]["sum"], end["outputs"]["text"]) == (5.0, "the number is 5")
    assert end["outputs"]["note"]["media_type"] == "text/plain"
    assert (end["executed"], end["cached"]) == (5, 0)


def test_json_tells_findings_when_the_run_cannot_begin(graphflow: CommandLine, sum_file: Path) -> None:
    done = graphflow("run", sum_file, "--json", "--set", "first=lots", "--set", "second=1")
    (end,) = done.events
    assert done.code == 1
    assert (end["event"], end["status"], end["outputs"]) == ("run_finished", "failed", {})
    assert len(end["findings"]) == 2
    assert all(finding["message"] and finding["severity"] == "error" for finding in end["findings"])


def test_json_of_a_failed_run(graphflow: CommandLine, save: Callable[..., Path]) -> None:
    file = save("bad.json", {"bad": {"type": "numbers.fail@1", "values": {"message": "no"}}})
    done = graphflow("run", file, "--json")
    failed = next(event for event in done.events if event["event"] == "node_failed")
    assert done.code == 3
    assert (failed["node"], failed["type"], failed["message"]) == ("bad", "numbers.fail", "ValueError: no")
    assert done.events[-1]["status"] == "failed"


def test_a_reader_that_leaves_stops_the_run_quietly(home: Path, slow_file: Path) -> None:
    command = [sys.executable, "-m", "graphflow", "run", str(slow_file), "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stderr is not None
    assert json.loads(run.stdout.readline())["event"] == "run_started"
    run.stdout.close()
    told = run.stderr.read()
    assert run.wait(timeout=60) == 130
    assert "Traceback" not in told
    assert "BrokenPipe" not in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(("options", "code"), [([], 3), (["--json"], 3)])
def test_a_full_disk_is_told(home: Path, sum_file: Path, options: list[str], code: int) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "graphflow", "run", str(sum_file), *options]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_trouble(home: Path, sum_file: Path, closed: str) -> None:
    command = f"{sys.executable} -m graphflow run {sum_file} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_output_is_utf8_in_any_locale(home: Path, save: Callable[..., Path]) -> None:
    file = save(
        "狐.json", {"words": {"type": "numbers.words@1", "values": {"text": "狐"}}}, outputs={"fox": "words.str"}
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "graphflow", "run", str(file)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.decode("utf-8") == "fox: 狐\n"
