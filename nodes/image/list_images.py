"""The pictures of a folder."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from graphflow import Field, InputFile, InputFileError, Node, NodeContext, NodeOutputs, node

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""Endings of the files that count as pictures, in small letters."""


@node("list_images", lane="io")
class ListImages(Node):
    """Name the pictures of a folder, to load and change each one. Runs again when a file comes, goes or changes.

    Map load_image over `files`, what follows over its pictures, and save_image over `names` too, so that results are called as their sources.
    """

    folder: Annotated[str, InputFile("folder")] = Field(min_length=1)
    """A folder in the inputs folder, one beside the workflow, or a path."""
    pattern: str = Field(default="*", min_length=1, max_length=200)
    """Which file names to take: * stands for any letters, ? for one. `*.png` takes PNG files only. Small and capital letters are the same."""
    recursive: bool = False
    """Look into the folders inside it, too."""
    sort: Literal["name", "newest", "oldest"] = "name"
    """Order of the files. By name, picture2 comes before picture10."""
    limit: int | None = Field(default=None, ge=1, le=1_000_000)
    """At most so many, the first ones. Left empty: all."""

    class Outputs(NodeOutputs):
        """What was found, in order."""

        files: list[str]
        """The files, as load_image takes them."""
        names: list[str]
        """Their names without folder and ending, as save_image takes them for `prefix`; in the folders inside, `folder/name`."""
        count: int
        """How many there are."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises InputFileError when there is no such folder, or no such picture in it."""
        folder = ctx.artifacts.input_folder(self.folder)
        found = [path for path in _pictures(folder, recursive=self.recursive) if _fits(path.name, self.pattern)]
        named = [path for path in found if _is_text(path)]
        if len(named) < len(found):
            ctx.log.warning("%d files of %s were left out: their names are no text", len(found) - len(named), folder)
        if not named:
            inside = "it or the folders inside" if self.recursive else "it"
            raise InputFileError(
                f'the folder "{self.folder}" holds no picture that fits "{self.pattern}"; '
                f"put PNG, JPEG or WebP files into {inside}, or change the pattern"
            )
        places = [path.relative_to(folder) for path in self._sorted(named)[: self.limit]]
        return self.Outputs(
            files=[(Path(self.folder) / place).as_posix() for place in places],
            names=names_of([place.as_posix() for place in places]),
            count=len(places),
        )

    def _sorted(self, paths: list[Path]) -> list[Path]:
        by_name = sorted(paths, key=lambda path: natural_key(path.as_posix()))
        if self.sort == "name":
            return by_name
        return sorted(by_name, key=lambda path: path.stat().st_mtime_ns, reverse=self.sort == "newest")


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sorts numbers inside texts by value, and letters whether capital or small: a2, A10, b1."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(0, int(part), "") if at % 2 else (1, 0, part) for at, part in enumerate(parts)] + [(2, 0, text)]


def names_of(files: list[str]) -> list[str]:
    """Names without their endings; where two files differ in nothing else, the ending becomes part of the name."""
    stems = [str(PurePosixPath(file).with_suffix("")) for file in files]
    count = Counter(stems)
    return [
        stem if count[stem] == 1 else stem + PurePosixPath(file).suffix.replace(".", "_")
        for stem, file in zip(stems, files, strict=True)
    ]


def _pictures(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Files that are named as pictures, hidden ones left out. Raises InputFileError when the folder cannot be read."""

    def refuse(error: OSError) -> None:
        raise InputFileError(f'the folder "{error.filename}" cannot be read: {error.strerror or error}') from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and path.is_file():
                yield path


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.casefold(), pattern.casefold())


def _is_text(path: Path) -> bool:
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        return False
    return True
