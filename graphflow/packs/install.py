"""Install Python packages beside graphflow's own without changing those: resolve first, refuse what would not fit."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from graphflow.errors import PackError

_TIMEOUT_S = 1800


def core_versions(distribution: str = "graphflow") -> dict[str, str]:
    """Installed versions of a distribution and of all that it needs, by canonical name; extras that are not installed are left out."""
    versions: dict[str, str] = {}
    waiting = [distribution]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in versions:
            continue
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        versions[name] = found.version
        waiting += [requirement.name for requirement in map(Requirement, found.requires or []) if _applies(requirement)]
    return versions


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def install(
    requirements: Sequence[str], *, python: str = sys.executable, core: Mapping[str, str] | None = None
) -> None:
    """Install packages into an environment, after a trial run that shows that graphflow's own packages stay as they are.

    Uses uv where it is installed, else pip. `core` holds the versions that must stay, by name; by default those of graphflow and all that it needs.

    Raises PackError with the resolver's reason when the packages do not fit or cannot be had.
    """
    kept = core_versions() if core is None else core
    if not kept:
        raise PackError(
            "graphflow is not installed as a package here, so its own packages cannot be protected; install it first."
        )
    with tempfile.TemporaryDirectory(prefix="graphflow-install-") as folder:
        constraints = Path(folder, "core.txt")
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in sorted(kept.items()) if name != "graphflow")
        )
        command = [*_installer(python), *_guarded(requirements), "--constraint", str(constraints)]
        _run(
            [*command, "--dry-run"],
            f"{', '.join(requirements)} does not fit beside graphflow's own packages, so nothing was installed.",
        )
        _run(command, f"{', '.join(requirements)} could not be installed.")


def missing(requirements: Iterable[str]) -> list[str]:
    """The requirements that the running environment does not meet."""
    return [text for text in requirements if not _is_met(Requirement(text))]


def _is_met(requirement: Requirement) -> bool:
    if not _applies(requirement):
        return True
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def _guarded(requirements: Sequence[str]) -> list[str]:
    """The requirements in normal form: no text can pass for an option of the installer."""
    return [str(Requirement(text)) for text in requirements]


def _installer(python: str) -> list[str]:
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", python]
    if importlib.util.find_spec("pip") is None:
        raise PackError("neither uv nor pip is installed here; install one of them, or the package by hand.")
    return [sys.executable, "-m", "pip", "--python", python, "install"]


def _run(command: list[str], refusal: str) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise PackError(f"{refusal} The installer took more than {_TIMEOUT_S} s.") from None
    if done.returncode != 0:
        raise PackError(f"{refusal} The installer said:\n{_reason(done.stdout + done.stderr)}")


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if line.startswith(("ERROR", "error", "×", "╰", "The conflict", "The user requested", "│"))
    ]
    about = [line for line in lines if "depends on" in line or "requested" in line]
    return "\n".join(list(dict.fromkeys([*telling, *about])) or lines[-5:])
