"""Doubles for the authors of packs: run a node in a test, without the engine.

    def test_brighten() -> None:
        outputs = run_node(Brighten(image=Image(torch.zeros(1, 3, 8, 8)), amount=0.5))
        assert outputs["image"].pixels.mean() == 0.5

Importing this module does not import torch.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from blake3 import blake3

from graphflow.authoring.context import Adapter, Checkpoint, NodeContext
from graphflow.authoring.node import Node
from graphflow.errors import InputFileError, ModelNotFound, PackError, RunCancelled
from graphflow.packs.discover import folder_source
from graphflow.packs.registry import Registry
from graphflow.packs.user import mount
from graphflow.ports.file import File, ImageFile
from graphflow.ports.model import ModelRecipe, TextEncoder

if TYPE_CHECKING:
    from torch import Generator, device

__all__ = ["FakeArtifacts", "FakeContext", "FakeModels", "ProgressReport", "load_node", "run_node"]

T = TypeVar("T")


@dataclass(frozen=True)
class ProgressReport:
    """One step that a node reported."""

    label: str
    done: int
    """Items finished so far."""
    total: int | None
    """Items in all; None when nobody knows."""


class FakeModels:
    """Models that the test brings along, by part (`"unet"`) or by file and part (`"tiny.safetensors/unet"`)."""

    def __init__(
        self,
        modules: Mapping[str, Any] | None = None,
        *,
        checkpoints: Mapping[str, Checkpoint] | None = None,
        tokenizers: Mapping[str, Any] | None = None,
        adapters: Mapping[str, Adapter] | None = None,
    ) -> None:
        self._modules = dict(modules or {})
        self._checkpoints = dict(checkpoints or {})
        self._adapters = dict(adapters or {})
        self._tokenizers = dict(tokenizers or {})
        self.used: list[ModelRecipe] = []
        """Recipes handed to `use`, in order."""

    def inspect(self, file: str, kind: str = "checkpoints") -> Checkpoint:
        """The checkpoint given under that name. Raises ModelNotFound."""
        return _given(self._checkpoints, [file], f"no checkpoint {file!r}")

    def inspect_adapter(self, file: str, bases: Sequence[ModelRecipe] = (), kind: str = "loras") -> Adapter:
        """The adapter given under that name, which fits all models. Raises ModelNotFound."""
        return _given(self._adapters, [file], f"no adapter {file!r}")

    @contextmanager
    def use(self, recipe: ModelRecipe) -> Iterator[Any]:
        """The module given for the recipe. Raises ModelNotFound."""
        self.used.append(recipe)
        names = [f"{recipe.file}/{recipe.part}", recipe.part]
        yield _given(self._modules, names, f"no module for {recipe.part!r} of {recipe.file!r}")

    def tokenizer(self, recipe: TextEncoder) -> Any:
        """The tokenizer given for the recipe. Raises ModelNotFound."""
        names = [f"{recipe.file}/{recipe.part}", recipe.part]
        return _given(self._tokenizers, names, f"no tokenizer for {recipe.part!r} of {recipe.file!r}")


def _given(things: Mapping[str, T], names: list[str], missing: str) -> T:
    for name in names:
        if name in things:
            return things[name]
    known = ", ".join(things) or "nothing"
    raise ModelNotFound(f"the test gave {missing}; give it under {' or '.join(map(repr, names))}. It gave: {known}.")


class FakeArtifacts:
    """Artifacts in a folder of the test; input files are looked up there too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saved: list[File] = []
        """What was saved, in order."""

    def save(self, data: bytes, *, suffix: str, media_type: str, prefix: str = "") -> File:
        """Write the bytes; the same bytes under the same prefix give the same name."""
        file = File(*self._write(data, suffix, media_type, prefix))
        self.saved.append(file)
        return file

    def save_image(
        self, data: bytes, *, suffix: str, media_type: str, width: int, height: int, prefix: str = ""
    ) -> ImageFile:
        """Write an encoded picture."""
        file = ImageFile(*self._write(data, suffix, media_type, prefix), width=width, height=height)
        self.saved.append(file)
        return file

    def path(self, file: File) -> Path:
        """Where a saved file lies."""
        return self.folder / file.name

    def provenance(self) -> dict[str, str]:
        """Nothing: a single node comes from no workflow."""
        return {}

    def input_path(self, name: str) -> Path:
        """Path of an input file: in the folder, else as given. Raises InputFileError."""
        for path in (self.folder / name, Path(name)):
            if path.is_file():
                return path
        raise InputFileError(
            f"the input file {name!r} is neither in {self.folder} nor in the working folder; write it first."
        )

    def input_folder(self, name: str) -> Path:
        """Path of a folder of input files: in the folder, else as given. Raises InputFileError."""
        for path in (self.folder / name, Path(name)):
            if path.is_dir():
                return path
        raise InputFileError(
            f"the folder {name!r} is neither in {self.folder} nor in the working folder; make it first."
        )

    def _write(self, data: bytes, suffix: str, media_type: str, prefix: str) -> tuple[str, str, int, str]:
        digest = blake3(data).hexdigest()
        name = f"{prefix}_{digest[:8]}{suffix}".removeprefix("_")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name, media_type, len(data), digest


class FakeContext:
    """A context without an engine: CPU only; records progress, previews and artifacts.

    Args:
        folder: for artifacts, input files and scratch files; by default a temporary one that goes with the context.
        models: modules by part, or a `FakeModels` with checkpoints and tokenizers too.
        watched: whether somebody watches, so that previews are made.
        cancel_after: cancel the run once this many items were reported; None means never.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        models: Mapping[str, Any] | FakeModels | None = None,
        watched: bool = True,
        cancel_after: int | None = None,
    ) -> None:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="graphflow-test-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = folder
        self.models = models if isinstance(models, FakeModels) else FakeModels(models)
        self.artifacts = FakeArtifacts(folder / "artifacts")
        self.artifacts.folder.mkdir(parents=True, exist_ok=True)
        self.log = logging.getLogger("graphflow.testing.node")
        self.progress_reports: list[ProgressReport] = []
        """What the node reported, in order."""
        self.previews: list[Any] = []
        """What the node showed, in order."""
        self._watched = watched
        self._cancel_after = cancel_after
        self._cancelled = False

    @property
    def scratch(self) -> Path:
        """The node's own folder, made on first use."""
        folder = self.folder / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def device(self) -> device:
        """The CPU."""
        import torch

        return torch.device("cpu")

    def progress(self, items: Iterable[T], label: str = "", total: int | None = None) -> Iterator[T]:
        """The items, each one recorded; raises RunCancelled as a real run does."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items, 1):
            self.check_cancelled()
            yield item
            self.progress_reports.append(ProgressReport(label, done, total))
            if self._cancel_after is not None and len(self.progress_reports) >= self._cancel_after:
                self.cancel()

    def preview(self, value: Any) -> None:
        """Record an unfinished result; a function is called for it, as when somebody watches."""
        if self._watched:
            self.previews.append(value() if callable(value) else value)

    def generator(self, seed: int) -> Generator:
        """A torch generator on the CPU."""
        import torch

        return torch.Generator("cpu").manual_seed(seed)

    def cancel(self) -> None:
        """Ask the node to stop, as a user would."""
        self._cancelled = True

    def check_cancelled(self) -> None:
        """Raise RunCancelled after `cancel`."""
        if self._cancelled:
            raise RunCancelled("the test cancelled the run")


def load_node(folder: Path, name: str) -> type[Any]:
    """The node class `name` of the pack in a folder, imported as graphflow imports it. Any: which class it is shows only then.

    Raises PackError when the folder is no pack, holds no such node, or its file cannot be imported.
    """
    source = folder_source(folder.resolve())
    if not source.problem:
        mount(source.name, source.folder)
    registry = Registry()
    registry.add(source)
    try:
        return registry.spec(f"{source.name}.{name}").cls
    except PackError as error:
        raise PackError(registry.pack_error(source.name) or str(error)) from error


def run_node(node: Node, ctx: NodeContext | None = None) -> dict[str, Any]:
    """Run a node as the engine does, and return its outputs by name.

    Raises whatever `run` raises, and TypeError when the result is not what `run` is declared to return.
    """
    result = getattr(node, "run")(ctx if ctx is not None else FakeContext())  # noqa: B009 - nodes define run, their base does not
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return node.node_spec.wrap(result)
