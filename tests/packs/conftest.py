"""Packs written into a folder, as an author would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from graphflow.settings import Settings

WritePack = Callable[..., Path]

ADD = """
    from graphflow import Node, NodeContext, node


    @node("add")
    class Add(Node):
        \"\"\"Add two numbers.\"\"\"

        a: int = 0
        b: int = 0

        def run(self, ctx: NodeContext) -> int:
            return self.a + self.b
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "packs").mkdir(parents=True)
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, packs="")


@pytest.fixture
def write_pack(home: Path) -> WritePack:
    def write(name: str, files: dict[str, str], *, inside: Path | None = None, manifest: str | None = None) -> Path:
        folder = (inside or home / "packs") / name
        folder.mkdir(parents=True)
        (folder / "pack.toml").write_text(manifest or f'name = "{name}"\nversion = "0.1.0"\n', encoding="utf-8")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(dedent(text).lstrip(), encoding="utf-8")
        return folder

    return write
