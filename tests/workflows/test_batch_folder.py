"""batch_folder: every picture of a folder, each on its own; what was cut off goes on, what is damaged holds nothing up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pil

from graphflow.app import App, build_app
from graphflow.cli import main
from graphflow.engine.report import RunReport
from graphflow.settings import Settings
from graphflow.zoo.judge import judge

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "workflows" / "batch_folder.json"
SOURCES = sorted((ROOT / "workflows" / "inputs" / "batch").iterdir())
QUICK = ("steps=4", "size=64")

Run = Callable[..., RunReport]


def read(path: Path) -> NDArray[np.uint8]:
    with Pil.open(path) as picture:
        return np.array(picture.convert("RGB").resize((128, 128)))


def centre(picture: NDArray[np.uint8]) -> tuple[float, float]:
    return judge(picture, "a red circle on sand").sight.objects[0].centre


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the pictures, to be changed."""
    return shutil.copytree(SOURCES[0].parent, tmp_path / "pictures")


@pytest.fixture
def fresh(tmp_path: Path) -> App:
    """A process with a home of its own."""
    return build_app(Settings(home=tmp_path / "home"))


def test_every_picture_turns_blue_and_stays_where_it_was(app: App, run: Run) -> None:
    report = run("batch_folder")
    files = report.outputs["images"]
    assert [file.name.rpartition("_")[0] for file in files] == [source.stem for source in SOURCES]
    for file, source in zip(files, SOURCES, strict=True):
        picture = read(app.artifacts.path(file.name))
        verdict = judge(picture, "a blue circle on sand")
        assert verdict.right, (source.name, verdict)
        assert np.hypot(*np.subtract(verdict.sight.objects[0].centre, centre(read(source)))) < 0.1


def test_pictures_come_one_by_one(fresh: App) -> None:
    done: list[tuple[str, int | None]] = []

    def listen(event: Any) -> None:
        if type(event).__name__ == "NodeFinished" and event.node in ("sample", "decode"):
            done.append((event.node, event.element))

    assert fresh.run(fresh.prepare(WORKFLOW, [*QUICK, "limit=3"]), emit=listen).status == "succeeded"
    assert done == [(node, at) for at in range(3) for node in ("sample", "decode")]


def test_only_what_is_new_or_changed_is_made(fresh: App, folder: Path) -> None:
    def sampled() -> int:
        ran: list[str] = []
        report = fresh.run(
            fresh.prepare(WORKFLOW, [*QUICK, f"folder={folder}"]),
            emit=lambda event: ran.append(event.node) if type(event).__name__ == "NodeFinished" else None,
        )
        assert report.status == "succeeded", report.failures
        return ran.count("sample")

    assert sampled() == 6
    assert sampled() == 0
    Pil.new("RGB", (128, 128), "red").save(folder / "another.png")
    assert sampled() == 1
    Pil.new("RGB", (128, 128), "blue").save(folder / "another.png")
    assert sampled() == 1
    (folder / "another.png").unlink()
    assert sampled() == 0


def test_a_damaged_picture_is_named_and_the_others_are_made(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAPHFLOW_HOME", str(tmp_path / "home"))
    whole = (folder / "red_circle.png").read_bytes()
    (folder / "red_circle.png").write_bytes(whole[:300])
    command = ["run", str(WORKFLOW), "--out", str(tmp_path / "out"), "--set", f"folder={folder}"]
    command += [part for value in QUICK for part in ("--set", value)]
    assert main(command) == 3
    told = capsys.readouterr().err
    assert 'node "load"' in told
    assert "red_circle.png" in told
    assert "Traceback" not in told
    made = {path.stem for path in (tmp_path / "out").iterdir()}
    assert made == {source.stem for source in SOURCES} - {"red_circle"}

    (folder / "red_circle.png").write_bytes(whole)
    assert main([*command, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ran = [event["element"] for event in events if event["event"] == "node_finished" and event["node"] == "sample"]
    assert ran == [3]
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {source.stem for source in SOURCES}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_run_goes_on_with_the_rest(tmp_path: Path) -> None:
    home = tmp_path / "home"
    killed = start(home, "steps=16", "size=64")
    saved = [finished_save(killed) for _ in range(2)]
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)
    assert saved == [0, 1]
    assert 2 <= len(pictures(home)) < len(SOURCES)

    again = start(home, "steps=16", "size=64")
    out, told = again.communicate(timeout=240)
    assert again.returncode == 0, told
    events = [json.loads(line) for line in out.splitlines()]
    ran = [event["element"] for event in events if event["event"] == "node_finished" and event["node"] == "save"]
    found = [event["element"] for event in events if event["event"] == "node_cached" and event["node"] == "save"]
    assert sorted(ran + found) == list(range(len(SOURCES)))
    assert 0 in found  # the last one before the end may not have been written down
    assert len(events[-1]["outputs"]["images"]) == len(SOURCES)
    assert sorted(path.stem.rpartition("_")[0] for path in pictures(home)) == [source.stem for source in SOURCES]
    for path in pictures(home):
        assert read(path).shape == (128, 128, 3)


def start(home: Path, *assignments: str) -> subprocess.Popen[str]:
    settings = [part for assignment in assignments for part in ("--set", assignment)]
    return subprocess.Popen(
        [sys.executable, "-m", "graphflow", "run", str(WORKFLOW), "--json", *settings],
        env={**os.environ, "GRAPHFLOW_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finished_save(run: subprocess.Popen[str]) -> int:
    """Wait for the next picture to be saved; which one."""
    assert run.stdout is not None
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "node_finished" and event["node"] == "save":
            return int(event["element"])
    raise AssertionError("the run ended before that picture")


def pictures(home: Path) -> list[Path]:
    return list((home / "artifacts").glob("*.png"))
