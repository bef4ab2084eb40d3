"""Start a new pack: a folder that loads at once, with a node, its test and a page of help."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

import graphflow
from graphflow.errors import PackError
from graphflow.packs.discover import BUILTIN
from graphflow.packs.manifest import FILE_NAME, NAME_PATTERN

_MANIFEST = Template("""name = "$name"
version = "0.1.0"
graphflow = ">=$api"
description = "Nodes that brighten pictures."
author = ""
license = ""
requirements = []
""")

_NODE = Template('''"""Brightness."""

from graphflow import Field, Image, Node, NodeContext, node


@node("brighten")
class Brighten(Node):
    """Make a picture brighter or darker."""

    image: Image
    """The picture."""

    amount: float = Field(default=0.2, ge=-1, le=1)
    """Added to every channel; below 0 makes it darker."""

    def run(self, ctx: NodeContext) -> Image:
        return Image((self.image.pixels + self.amount).clamp(0, 1))
''')

_TEST = Template('''"""Run with: pytest"""

from pathlib import Path

import pytest
import torch

from graphflow import Image
from graphflow.testing import FakeContext, load_node, run_node

Brighten = load_node(Path(__file__).parents[1], "brighten")


def test_brighten_adds_to_every_pixel() -> None:
    picture = Image(torch.full((1, 3, 8, 8), 0.5))
    outputs = run_node(Brighten(image=picture, amount=0.25), FakeContext())
    assert outputs["image"].pixels.mean().item() == pytest.approx(0.75)
''')

_README = Template("""# $name

A pack of nodes for graphflow.

- `pack.toml`: name, version and what the pack needs.
- `image/brighten.py`: a node. The folder is its menu category; a new file adds a new node.
- `tests/`: run them with `pytest`.

In this folder:

    GRAPHFLOW_PACKS=. graphflow nodes $name.brighten    look at a node, without installing the pack
    graphflow packs check .                             find what is wrong before you share it
    graphflow packs add .                               copy it to where graphflow always looks
""")


def scaffold_pack(folder: Path, name: str) -> list[Path]:
    """Write a new pack named `name` into `folder/name`, and return the files written.

    Raises PackError when the name is not accepted or the folder is there already.
    """
    if re.fullmatch(NAME_PATTERN, name) is None or keyword.iskeyword(name):
        raise PackError(
            f"the pack name {name!r} is not accepted; use lower-case letters, digits and underscores, such as my_glow."
        )
    if name == BUILTIN:
        raise PackError(f'"{BUILTIN}" is the name of the built-in pack; choose another.')
    target = folder / name
    if target.exists():
        raise PackError(f"{target} exists already; choose another name or remove it.")
    words = {"name": name, "api": ".".join(graphflow.__version__.split(".")[:2])}
    texts = {
        FILE_NAME: _MANIFEST,
        "image/brighten.py": _NODE,
        "tests/test_brighten.py": _TEST,
        "README.md": _README,
    }
    written = []
    for path, text in texts.items():
        file = target / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.substitute(words), encoding="utf-8")
        except OSError as error:
            raise PackError(f"{file} cannot be written: {error.strerror}; choose another folder.") from None
        written.append(file)
    return written
