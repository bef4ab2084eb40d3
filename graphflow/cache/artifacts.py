"""Files that runs make for their user, in one folder, named by their content."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from blake3 import blake3

from graphflow.errors import GraphflowError, InputFileError
from graphflow.ports.file import File, ImageFile

MAX_PREFIX = 500
"""Letters of a prefix that are kept."""
_MAX_PART_BYTES = 180
"""Of one folder or file name, so that content digest and suffix fit below the 255 bytes that file systems allow."""
_DIGEST_LETTERS = (12, 24, 64)
"""Letters of the digest in a name; more only when the shorter name is taken by other bytes."""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """An artifact as listings show it."""

    name: str
    """Path inside the artifact folder, with forward slashes."""
    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch."""


class ArtifactStore:
    """Artifacts by name. A name is never used again for other bytes, so whoever holds one holds the content."""

    def __init__(self, folder: Path) -> None:
        """Makes no folder before the first artifact."""
        self.folder = folder

    def save(self, data: bytes, *, suffix: str, media_type: str, prefix: str = "") -> File:
        """Keep bytes as `<prefix>_<digest>.<suffix>`; the same bytes under the same prefix give the same name.

        The prefix may name subfolders with `/`; letters that don't fit into file names become `_`. Raises GraphflowError when the
        folder cannot be written.
        """
        name, digest = self._keep(data, suffix=suffix, prefix=prefix)
        return File(name, media_type, len(data), digest)

    def save_image(
        self, data: bytes, *, suffix: str, media_type: str, width: int, height: int, prefix: str = ""
    ) -> ImageFile:
        """The same for an encoded picture of a width and height in pixels."""
        name, digest = self._keep(data, suffix=suffix, prefix=prefix)
        return ImageFile(name, media_type, len(data), digest, width, height)

    def path(self, name: str) -> Path:
        """Where an artifact is, or would be. Raises InputFileError for a name that leads out of the folder."""
        parts = name.split("/")
        unsafe = any(part in ("", ".", "..") or part != part.strip() for part in parts)
        if unsafe or any(letter in name for letter in "\\:\0"):
            raise InputFileError(f"{name!r} is not the name of an artifact; use a path inside the artifact folder")
        path = self.folder.joinpath(*parts)
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise InputFileError(f"{name!r} leads out of the artifact folder; use a path inside it")
        return path

    def exists(self, name: str) -> bool:
        """Whether there is an artifact of that name."""
        try:
            return self.path(name).is_file()
        except (InputFileError, OSError):
            return False

    def list(self) -> list[StoredArtifact]:
        """All artifacts, the newest first."""
        found: list[StoredArtifact] = []
        for folder, subfolders, names in os.walk(self.folder):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            for name in names:
                path = Path(folder, name)
                try:
                    status = path.stat()
                except OSError:
                    continue
                if not name.startswith("."):
                    relative = path.relative_to(self.folder).as_posix()
                    found.append(StoredArtifact(relative, status.st_size, status.st_mtime))
        return sorted(found, key=lambda artifact: (-artifact.modified, artifact.name))

    def delete(self, name: str) -> bool:
        """Delete an artifact; False when there was none. Raises InputFileError for a name that leads out of the folder."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def _keep(self, data: bytes, *, suffix: str, prefix: str) -> tuple[str, str]:
        digest = blake3(data).hexdigest()
        stem = clean_prefix(prefix)
        ending = clean_suffix(suffix)
        for letters in _DIGEST_LETTERS:
            name = f"{stem}_{digest[:letters]}{ending}" if stem else f"{digest[:letters]}{ending}"
            path = self.path(name)
            try:
                if not path.exists():
                    _write(path, data)
                    return name, digest
                if _holds(path, data, digest):
                    return name, digest
            except OSError as error:
                raise GraphflowError(
                    f"the artifact {path} cannot be written: {error.strerror or error}; "
                    "free some space, allow writing there, or choose another folder with GRAPHFLOW_HOME"
                ) from error
        raise GraphflowError(f"the artifact {name} was changed after it was saved; move it out of {self.folder}")


def clean_prefix(prefix: str) -> str:
    """A prefix as it may stand in a name: letters, digits, `-`, `_`, subfolders with `/`; spaces and the rest become `_`."""
    cleaned = "".join(letter if letter.isalnum() or letter in "-_/" else "_" for letter in prefix.strip())
    parts = [_shortened(part) for part in PurePosixPath(cleaned[:MAX_PREFIX]).parts if part.strip("_/")]
    return "/".join(parts)


def clean_suffix(suffix: str) -> str:
    """`png`, `.png` and `PNG` -> `.png`. Raises ValueError for an empty one."""
    cleaned = "".join(letter for letter in suffix.lower() if letter.isascii() and (letter.isalnum() or letter == "."))
    if not cleaned.strip("."):
        raise ValueError(f"{suffix!r} is not a suffix of a file name; use letters and digits, such as png")
    return "." + cleaned.strip(".")[:20]


def _shortened(part: str) -> str:
    return part.encode("utf-8")[:_MAX_PART_BYTES].decode("utf-8", "ignore")


def _holds(path: Path, data: bytes, digest: str) -> bool:
    return path.stat().st_size == len(data) and blake3(path.read_bytes()).hexdigest() == digest


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}.draft")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
