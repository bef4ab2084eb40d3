"""`--out`: artifacts copied to the user's folder, under names that people can read."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from graphflow.errors import InputFileError

_DIGEST = re.compile(r"_?[0-9a-f]{12,64}$")


class OutFolder:
    """The folder of `--out`. Never overwrites a file: other files of the same name are numbered."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises InputFileError when that is impossible."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputFileError(
                f"--out {folder}: the folder cannot be made ({error.strerror}); name a folder that you may write to"
            ) from error
        if not os.access(folder, os.W_OK):
            raise InputFileError(f"--out {folder}: nothing can be written there; name a folder that you may write to")

    def deliver(self, artifact: Path, name: str, node: str) -> Path:
        """Copy an artifact of a node here; where it lies now. A copy that lies here already is used again.

        Raises OSError when it cannot be written.
        """
        draft: Path | None = None
        try:
            for target in _numbered(self._folder / readable_name(name, node)):
                if target.exists():
                    if target.is_file() and filecmp.cmp(artifact, target, shallow=False):
                        return target
                    continue
                if draft is None:
                    draft = _draft(artifact, target)
                if _claim(draft, target):
                    return target
        finally:
            if draft is not None:
                draft.unlink(missing_ok=True)
        raise AssertionError("numbers do not end")


def readable_name(name: str, node: str) -> PurePosixPath:
    """An artifact's name without the digest of its content: `fox_3f9c01d2e4a7.png` -> `fox.png`; named after the node when nothing is left."""
    path = PurePosixPath(name)
    stem, dot, suffix = path.name.partition(".")
    kept = _DIGEST.sub("", stem) or node.replace("/", "_")
    return path.with_name(f"{kept}{dot}{suffix}")


def _numbered(path: Path) -> Iterator[Path]:
    """`fox.png`, `fox_2.png`, `fox_3.png`..."""
    yield path
    stem, dot, suffix = path.name.partition(".")
    number = 1
    while True:
        number += 1
        yield path.with_name(f"{stem}_{number}{dot}{suffix}")


def _draft(artifact: Path, target: Path) -> Path:
    """A copy beside the target: no link, as a file that is edited in place would change the artifact, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{uuid.uuid4().hex}.draft")
    shutil.copyfile(artifact, draft)
    return draft


def _claim(draft: Path, target: Path) -> bool:
    """Give the draft its name; False when somebody else was faster."""
    try:
        os.link(draft, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.replace(draft, target)
    return True
