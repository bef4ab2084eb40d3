"""Start a new pack: a folder that loads at once, with a node, a workflow to try it, its test and a page of help."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

import graphflow
from graphflow.errors import PackError
from graphflow.packs.discover import BUILTIN
from graphflow.packs.manifest import FILE_NAME, NAME_PATTERN

_FILES = {
    "pack.toml": FILE_NAME,
    "spot.py": "image/spot.py",
    "test_spot.py": "tests/test_spot.py",
    "try_it.json": "try_it.json",
    "README.md": "README.md",
}
"""Templates in `starter/`, and where they go in the new pack."""


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
    written = []
    for template, path in _FILES.items():
        text = (resources.files(__package__) / "starter" / f"{template}.template").read_text(encoding="utf-8")
        file = target / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(words), encoding="utf-8")
        except OSError as error:
            raise PackError(f"{file} cannot be written: {error.strerror}; choose another folder.") from None
        written.append(file)
    return written
