"""The lock file."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path

import graphflow
from graphflow.packs import build_registry
from graphflow.packs.lock import lock_packs
from graphflow.settings import Settings
from tests.packs.conftest import ADD, WritePack


def test_lock_names_versions_and_contents(settings: Settings, write_pack: WritePack) -> None:
    manifest = 'name = "sums"\nversion = "0.2.0"\nrequirements = ["pydantic>=2"]\n'
    write_pack("sums", {"maths/add.py": ADD}, manifest=manifest)
    lock = tomllib.loads(lock_packs(build_registry(settings)))
    assert (lock["graphflow"], lock["python"]) == (graphflow.__version__, platform.python_version())
    packs = {pack["name"]: pack for pack in lock["pack"]}
    assert set(packs) == {"core", "sums"}
    assert packs["sums"]["version"] == "0.2.0"
    assert packs["sums"]["requirements"] == ["pydantic>=2"]
    assert packs["sums"]["content"].startswith("blake3:")


def test_content_changes_with_the_files_and_not_with_the_place(tmp_path: Path, write_pack: WritePack) -> None:
    digests = []
    for place, text in (("here", ADD), ("there", ADD), ("elsewhere", ADD.replace("Add two", "Sum two"))):
        folder = write_pack("sums", {"maths/add.py": text}, inside=tmp_path / place)
        settings = Settings(home=tmp_path / "empty", packs=str(folder))
        lock = tomllib.loads(lock_packs(build_registry(settings)))
        digests.append(lock["pack"][-1]["content"])
    assert digests[0] == digests[1] != digests[2]
