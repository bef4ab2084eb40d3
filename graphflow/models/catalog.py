"""From the name of a model to its file or folder: bundled, in the user's models folder, by path, or on the hub."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from graphflow.errors import ModelError, ModelNotFound
from graphflow.models.headers import SHARD, WEIGHT_SUFFIXES
from graphflow.models.hub import HubName, cached_model, download_model, parse_hub_name
from graphflow.models.kinds import KINDS, WHOLE, bundled_kind, kinds_with
from graphflow.models.source import ADAPTER_CONFIG_FILE, CONFIG_FILE, PIPELINE_FILE


@dataclass(frozen=True)
class CatalogEntry:
    """A model that can be named."""

    name: str
    """What to write in a workflow."""
    kind: str
    source: Literal["zoo", "models"]
    path: Path
    bytes: int
    """Size of its files."""


@dataclass(frozen=True)
class ModelCatalog:
    """Looks names up, first match wins: bundled zoo, models folder, path, Hugging Face hub."""

    zoo_folder: Path
    """Bundled models of all kinds, each a file or folder named as the model."""
    models_folder: Path
    """`GRAPHFLOW_HOME/models`; its subfolders are kinds."""
    base_folders: tuple[Path, ...] = ()
    """Folders that relative paths are tried from, before the working folder: the workflow's."""
    allow_paths: bool = True
    """Whether a name may be a path to anywhere; servers say no for workflows of strangers."""
    allow_download: bool = True
    """Whether `resolve` may fetch from the hub."""
    hub_cache: Path | None = None
    """The hub's cache folder; None is huggingface_hub's own."""

    def relative_to(self, folder: Path) -> ModelCatalog:
        """The same catalogue for a workflow in this folder."""
        return replace(self, base_folders=(folder, *self.base_folders))

    def locate(self, name: str, kind: str | None = None) -> Path | None:
        """File or folder of a model on this machine, hub cache included; None if it is not here. Never touches the network.

        Without a kind, all kinds are looked through.
        """
        if (path := next(self.candidates(name, kind), None)) is not None:
            return path
        hub_name = parse_hub_name(name)
        return cached_model(hub_name, kind=kind or WHOLE, cache_folder=self.hub_cache) if hub_name else None

    def resolve(self, name: str, kind: str | None = None) -> Path:
        """File or folder of a model, fetched from the hub if need be and allowed. Raises ModelNotFound or ModelError."""
        if (path := self.locate(name, kind)) is not None:
            return path
        hub_name = parse_hub_name(name)
        if hub_name is None:
            raise self._not_found(name, kind)
        if not self.allow_download:
            raise ModelNotFound(
                f'the model "{name}" is not on this machine, and fetching is not allowed here; run `graphflow models pull {name}`'
            )
        return self._downloaded(name, hub_name, kind)

    def _downloaded(self, name: str, hub_name: HubName, kind: str | None) -> Path:
        try:
            return download_model(hub_name, kind=kind or WHOLE, cache_folder=self.hub_cache)
        except ModelNotFound as error:
            raise ModelNotFound(f"{self._not_found(name, kind)} As a hub name: {error}") from error
        except ModelError as error:
            raise ModelError(f'the model "{name}" is not on this machine, and {error}') from error

    def candidates(self, name: str, kind: str | None = None) -> Iterator[Path]:
        """Local files and folders that the name fits, best first."""
        if is_plain_name(name):
            bundled = list(_existing(self.zoo_folder, name))
            fitting = [path for path in bundled if kind is None or bundled_kind(path) in kinds_with(kind)]
            yield from fitting
            for folder in self._named_folders(kind):
                yield from _existing(folder, name)
            yield from (path for path in bundled if path not in fitting)
        if not self.allow_paths or not name.strip() or "\0" in name:
            return
        path = Path(name).expanduser()
        for base in (Path(),) if path.is_absolute() else (*self.base_folders, Path.cwd()):
            if (found := base / path).is_file() or _is_model_folder(found):
                yield found

    def _named_folders(self, kind: str | None) -> list[Path]:
        kinds = self._all_kinds() if kind is None else kinds_with(kind)
        return [*(self.models_folder / kind for kind in kinds), self.models_folder]

    def _all_kinds(self) -> list[str]:
        return sorted({*KINDS, *self._kinds_on_disk()})

    def _kinds_on_disk(self) -> list[str]:
        if not self.models_folder.is_dir():
            return []
        return [
            path.name
            for path in self.models_folder.iterdir()
            if path.is_dir() and not path.name.startswith(".") and not _is_model_folder(path)
        ]

    def entries(self, kind: str | None = None) -> list[CatalogEntry]:
        """Models of a kind, or of all kinds, that can be named without a path.

        The kind of a bundled model is what it is, that of another the folder it lies in; loose ones are checkpoints.
        """
        found = [_entry(path, self.zoo_folder, bundled_kind(path), "zoo") for path in _models_in(self.zoo_folder)]
        kinds = self._all_kinds()
        for each in kinds:
            folder = self.models_folder / each
            found += [_entry(path, folder, each, "models") for path in _models_in(folder)]
        loose = _models_in(self.models_folder, skip=frozenset(kinds))
        found += [_entry(path, self.models_folder, WHOLE, "models") for path in loose]
        return [entry for entry in found if kind in (None, entry.kind)]

    def _not_found(self, name: str, kind: str | None) -> ModelNotFound:
        places = [
            str(folder) for folder in (self.zoo_folder, *(self._named_folders(kind) if kind else [self.models_folder]))
        ]
        places += [f"as a path from {folder}" for folder in (*self.base_folders, Path.cwd()) if self.allow_paths]
        near = difflib.get_close_matches(name, [entry.name for entry in self.entries(kind)], n=3, cutoff=0.5)
        suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
        refused = "" if is_plain_name(name) or self.allow_paths else " Names may not leave the models folder."
        return ModelNotFound(
            f'the model "{name}" was not found; looked in {", ".join(dict.fromkeys(places))}.{refused}{suggestion} '
            f"Put the file into {self.models_folder / (kind or WHOLE)}, or give a path or a hub name (owner/name); "
            "`graphflow models list` shows what is there."
        )


def is_plain_name(name: str) -> bool:
    """Whether a text names something inside a folder: relative, no drive, no `..`, no leading dot."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        bool(parts)
        and not any(
            (PurePosixPath(name).is_absolute(), PureWindowsPath(name).drive, PureWindowsPath(name).root, "\0" in name)
        )
        and not any(part.startswith(("..", "~")) for part in parts)
    )


def _existing(folder: Path, name: str) -> Iterator[Path]:
    """What the name means in a folder: a model folder, a file, or a file whose ending was left out."""
    path = folder / name
    if path.is_file() or _is_model_folder(path):
        yield path
    for suffix in WEIGHT_SUFFIXES:
        if (with_suffix := path.with_name(path.name + suffix)).is_file():
            yield with_suffix


def _is_model_folder(path: Path) -> bool:
    marks = (PIPELINE_FILE, CONFIG_FILE, ADAPTER_CONFIG_FILE, "tokenizer_config.json", "vocab.json")
    return any((path / name).is_file() for name in marks)


def _models_in(folder: Path, skip: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Models below a folder; inside a model's own folder nothing is looked for."""
    pending = [folder] if folder.is_dir() else []
    while pending:
        current = pending.pop()
        for path in sorted(current.iterdir()):
            if path.name.startswith((".", "__")) or (current == folder and path.name in skip):
                continue
            if path.is_dir() and not _is_model_folder(path):
                pending.append(path)
            elif path.is_dir() or (path.name.endswith(WEIGHT_SUFFIXES) and not SHARD.search(path.name)):
                yield path


def _entry(path: Path, folder: Path, kind: str, source: Literal["zoo", "models"]) -> CatalogEntry:
    return CatalogEntry(path.relative_to(folder).as_posix(), kind, source, path, _bytes_of(path))


def _bytes_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
