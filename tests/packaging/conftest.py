"""The command line of this checkout, as a new user has it: a command on PATH and an empty home."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

import graphflow

ROOT = Path(graphflow.__file__).resolve().parents[1]


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Environment variables with `graphflow` and `python` on PATH, and nothing of the one who runs the tests."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, words in (("graphflow", "-m graphflow"), ("python", "")):
        command = commands / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHFLOW_", "PYTEST_"))}
    return {
        **kept,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GRAPHFLOW_HOME": str(tmp_path / "home"),
    }


def build_wheel(project: Path, folder: Path) -> Path:
    """Build a project's wheel with the hatchling that is installed; needs no network."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@dataclass(frozen=True)
class NewEnvironment:
    """A virtual environment that has the packages of this one, but no graphflow until one is installed."""

    folder: Path
    home: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self, *wheel: str) -> None:
        """Install a wheel, or with `-e` a project, and nothing that it needs."""
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "pip", "--python", self.python, "install", *options, *wheel], check=True)

    def run(self, *command: str) -> str:
        """Run a command of the environment in a folder of its own, with nothing of the checkout around it; what it printed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHFLOW_", "PYTHON"))}
        environment = {
            **kept,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{kept['PATH']}",
            "GRAPHFLOW_HOME": str(self.home),
        }
        self.home.mkdir(exist_ok=True)
        program = str(self.folder / "bin" / command[0])
        done = subprocess.run(
            [program, *command[1:]], cwd=self.home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """graphflow's own wheel, built from this checkout."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("wheels are built from a checkout")
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def new_environment(folder: Path) -> NewEnvironment:
    """A new environment without graphflow."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    # A path in a .pth file is taken as it is: the .pth files there, an editable graphflow's among them, are not read.
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "packages_of_the_tests.pth").write_text("\n".join(sorted(paths)) + "\n")
    return NewEnvironment(folder / "venv", folder / "home")


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> NewEnvironment:
    """A new environment with the wheel in it."""
    made = new_environment(tmp_path_factory.mktemp("environment"))
    made.install(str(wheel))
    return made
