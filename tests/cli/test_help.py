"""Help, usage, and what starting costs."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("run", "check", "plan", "nodes", "packs", "models", "cache", "migrate")


def test_help_lists_every_command_and_the_exit_codes(graphflow: Callable[..., Any]) -> None:
    done = graphflow("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert "130 cancelled" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(graphflow: Callable[..., Any], name: str) -> None:
    done = graphflow(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: graphflow {name}")


def test_version_is_that_of_the_package(graphflow: Callable[..., Any]) -> None:
    from graphflow import __version__

    assert graphflow("--version").out == f"graphflow {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "a.json", "--frobnicate"], "No such option: --frobnicate"),
        (["run", "a.json", "--vram", "3zz"], "'3zz' is not a size"),
        (["run", "a.json", "--device", "gpu"], "'gpu' is no device; use cpu, cuda, cuda:N, mps or auto."),
        (["run", "a.json", "--set", "seed"], "write NAME=VALUE"),
        (["run", "a.json", "--set", "=8"], "write NAME=VALUE"),
        (["run", "a.json", "--executor", "cloud"], "'cloud'"),
        (["packs", "frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_wrong_usage_is_2_and_told(graphflow: Callable[..., Any], arguments: list[str], told: str) -> None:
    done = graphflow(*arguments)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_a_wrong_setting_is_named(graphflow: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHFLOW_CACHE_DISK", "much")
    done = graphflow("cache")
    assert done.code == 2
    assert "GRAPHFLOW_CACHE_DISK" in done.err
    assert "'much' is not a size" in done.err


def test_a_damaged_settings_file_is_named(graphflow: Callable[..., Any]) -> None:
    Path("graphflow.toml").write_text("device = ")
    done = graphflow("cache")
    assert done.code == 2
    assert "graphflow.toml cannot be read" in done.err


def test_help_starts_quickly_without_torch(home: Path) -> None:
    code = (
        "import sys, graphflow.cli; graphflow.cli.main(['--help']);"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy', 'aiohttp', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert spent < 0.4, f"help took {spent:.2f} s of CPU"
