"""Ctrl-C, SIGTERM and kill -9 in the middle of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphflow.cli.interrupt import STOPPED, STOPPING

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
Start = Callable[..., "subprocess.Popen[str]"]


def wait_for_step(run: subprocess.Popen[str], node: str, step: int) -> None:
    """Read events until the node has done so many steps."""
    assert run.stdout is not None
    for text in run.stdout:
        event = json.loads(text)
        if event["event"] == "node_progress" and event["node"] == node and event["value"] >= step:
            return
    raise AssertionError("the run ended before that step")


def rest(run: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, _ = run.communicate(timeout=60)
    return [json.loads(text) for text in out.splitlines()]


def leftovers(home: Path) -> list[Path]:
    """Files of a run that are not whole."""
    return [path for path in home.rglob("*") if "draft" in path.name or path.suffix == ".tmp"]


@pytest.fixture
def running(process: Start, slow_file: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in the middle of its thousand steps."""
    run = process("run", slow_file, "--json")
    wait_for_step(run, "slow", 10)
    yield run
    if run.poll() is None:
        run.kill()
        run.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_within_a_step(running: subprocess.Popen[str], home: Path, number: signal.Signals) -> None:
    started = time.monotonic()
    running.send_signal(number)
    events = rest(running)
    assert time.monotonic() - started < 5
    assert running.returncode == 130
    assert (events[-1]["event"], events[-1]["status"]) == ("run_finished", "cancelled")
    assert not [event for event in events if event["event"] in ("node_failed", "artifact_ready")]
    assert not list((home / "artifacts").rglob("*.txt"))
    assert not [path for path in leftovers(home) if path.is_file()]


def test_ctrl_c_says_what_happens(process: Start, slow_file: Path) -> None:
    run = process("run", slow_file, "--json", "--set", "pause=0.5")
    wait_for_step(run, "slow", 1)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    # How long the step still takes decides which of the two is told.
    assert any(text in told for text in (STOPPING, STOPPED))
    assert "Traceback" not in told


def test_ctrl_c_twice_ends_at_once(process: Start, slow_file: Path) -> None:
    """A step of a minute does not notice the first one."""
    run = process("run", slow_file, "--json", "--set", "steps=2", "--set", "pause=60")
    assert run.stdout is not None
    while json.loads(run.stdout.readline()).get("node") != "slow":
        pass
    time.sleep(0.5)  # into the first step
    started = time.monotonic()
    run.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=20)
    assert run.returncode == 130
    assert time.monotonic() - started < 10


def test_a_cancelled_run_goes_on_from_what_it_finished(
    running: subprocess.Popen[str], process: Start, slow_file: Path
) -> None:
    running.send_signal(signal.SIGINT)
    rest(running)
    again = process("run", slow_file, "--json")
    wait_for_step(again, "slow", 1)
    again.send_signal(signal.SIGINT)
    assert rest(again)[-1]["cached"] == 1


def test_kill_leaves_a_cache_that_the_next_run_can_use(
    running: subprocess.Popen[str], process: Start, slow_file: Path, home: Path
) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    next_run = process("run", slow_file, "--set", "steps=5", "--set", "pause=0")
    out, told = next_run.communicate(timeout=60)
    assert next_run.returncode == 0
    assert Path(out.splitlines()[0]).read_text() == "the number is 8"
    assert "cached" in told
    assert "damaged" not in told
