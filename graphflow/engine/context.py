"""The context of one execution: what `graphflow.authoring.context.NodeContext` promises, for a running engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from graphflow.authoring.context import ModelService
from graphflow.engine.control import RunControl
from graphflow.engine.events import EventSink, NodePreview, NodeProgress
from graphflow.engine.services import Services
from graphflow.ports.file import File, ImageFile

if TYPE_CHECKING:
    from torch import Generator, device

T = TypeVar("T")

_REPORT_SECONDS = 0.05
_PREVIEW_SECONDS = 0.1


class RunArtifacts:
    """Artifacts of one run: the store, and what stands in its files about their making."""

    def __init__(self, services: Services, folder: Path, provenance: Callable[[], dict[str, str]]) -> None:
        self._store = services.artifacts
        self._files = services.files
        self._folder = folder
        self._provenance = provenance

    def save(self, data: bytes, *, suffix: str, media_type: str, prefix: str = "") -> File:
        """Keep bytes under a name made of prefix and content."""
        return self._store.save(data, suffix=suffix, media_type=media_type, prefix=prefix)

    def save_image(
        self, data: bytes, *, suffix: str, media_type: str, width: int, height: int, prefix: str = ""
    ) -> ImageFile:
        """The same for an encoded picture, `width` by `height` pixels."""
        return self._store.save_image(
            data, suffix=suffix, media_type=media_type, width=width, height=height, prefix=prefix
        )

    def provenance(self) -> dict[str, str]:
        """The workflow and the versions, as texts to write into a file."""
        return self._provenance()

    def input_path(self, name: str) -> Path:
        """Path of an input file. Raises InputFileError."""
        return self._files.input_path(name, self._folder)

    def input_folder(self, name: str) -> Path:
        """Path of a folder of input files. Raises InputFileError."""
        return self._files.input_folder(name, self._folder)


@dataclass(frozen=True, slots=True)
class RunScope:
    """What the contexts of one run share."""

    services: Services
    artifacts: RunArtifacts
    control: RunControl
    emit: EventSink
    run: str
    """Id of the run."""


class RunContext:
    """What one execution of a node may reach."""

    __slots__ = ("_element", "_key", "_node", "_previewed", "_scope")

    def __init__(self, scope: RunScope, node: str, element: int | None, key: str) -> None:
        self._scope = scope
        self._node = node
        self._element = element
        self._key = key
        self._previewed = 0.0

    @property
    def models(self) -> ModelService:
        """Model files and modules."""
        return self._scope.services.models

    @property
    def artifacts(self) -> RunArtifacts:
        """Files for the user."""
        return self._scope.artifacts

    @property
    def scratch(self) -> Path:
        """This node's own folder, the same for the same key."""
        return self._scope.services.cache.scratch(self._key)

    @property
    def device(self) -> device:
        """The torch device of this run."""
        return self._scope.services.device()

    @property
    def log(self) -> logging.Logger:
        """Log of this node."""
        return logging.getLogger(f"graphflow.node.{self._node}")

    def progress(self, items: Iterable[T], label: str = "", total: int | None = None) -> Iterator[T]:
        """The items, reported at most every 50 ms and at the end; stops with RunCancelled."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        reported = 0.0
        count = 0
        for count, item in enumerate(items, start=1):
            self._scope.control.check()
            yield item
            now = time.monotonic()
            if now - reported >= _REPORT_SECONDS and count != total:
                reported = now
                self._report(count, total, label)
        self._scope.control.check()
        self._report(count, total, label)

    def _report(self, value: int, total: int | None, label: str) -> None:
        self._scope.emit(
            NodeProgress(
                run=self._scope.run,
                time=time.time(),
                node=self._node,
                element=self._element,
                value=value,
                total=total,
                label=label,
            )
        )

    def preview(self, value: Any) -> None:
        """Show an unfinished Image, or the one that a function makes; at most ten a second, and only while somebody watches."""
        now = time.monotonic()
        if not self._scope.control.watched or now - self._previewed < _PREVIEW_SECONDS:
            return
        self._previewed = now
        image = value() if callable(value) else value
        self._scope.emit(
            NodePreview(run=self._scope.run, time=time.time(), node=self._node, element=self._element, image=image)
        )

    def generator(self, seed: int) -> Generator:
        """A torch generator on the CPU."""
        import torch

        return torch.Generator("cpu").manual_seed(seed)

    def check_cancelled(self) -> None:
        """Raise RunCancelled once the run is cancelled."""
        self._scope.control.check()
