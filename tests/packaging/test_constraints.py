"""`constraints.txt` fits `pyproject.toml`, and is good for every machine."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import ROOT

TESTED = {
    canonicalize_name(requirement.name): requirement
    for requirement in (
        Requirement(line)
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_tested_version_is_an_accepted_one(asked: Requirement) -> None:
    pinned = next(iter(TESTED[canonicalize_name(asked.name)].specifier))
    assert asked.specifier.contains(pinned.version)


def test_every_line_pins_one_version_for_every_machine() -> None:
    for requirement in TESTED.values():
        (pinned,) = requirement.specifier
        assert pinned.operator == "=="
        assert "+" not in pinned.version, "a local build is not had everywhere"
    assert [name for name in TESTED if name.startswith(("nvidia", "triton", "cuda"))] == []
