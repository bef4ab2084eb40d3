"""What a node may reach while it runs: `ctx`, and nothing else.

A node gets a fresh context for each execution. It holds the few services that are safe in every lane, process and test; a node never learns
of the engine, the cache, the server or the disk layout. `graphflow.testing.FakeContext` is the double for tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from graphflow.ports.file import File, ImageFile
from graphflow.ports.model import ModelRecipe, TextEncoder

if TYPE_CHECKING:
    from torch import Generator, device

T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """A model file as its headers describe it: the family and a recipe for each part that it holds."""

    file: str
    """Name in the model catalogue."""
    family: str
    """Such as `sd15`."""
    layout: str
    """`diffusers` or `original`."""
    parts: Mapping[str, ModelRecipe]
    """Recipes by part name: `unet`, `text_encoder`, `vae`..."""


@dataclass(frozen=True)
class Adapter:
    """A file that changes a model, a LoRA or a learned word, as its headers describe it."""

    file: str
    """Name in the model catalogue."""
    fingerprint: str
    """Content digest of the file and its configuration."""
    parts: tuple[str, ...]
    """Networks that it changes: `unet`, `text_encoder`..."""


class ModelService(Protocol):
    """Models for nodes: describe files, and hand modules out for a while."""

    def inspect(self, file: str, kind: str = "checkpoints") -> Checkpoint:
        """Family and parts of a model file, from its headers; reads no weights. Raises ModelError."""

    def inspect_adapter(self, file: str, bases: Sequence[ModelRecipe] = (), kind: str = "loras") -> Adapter:
        """What a LoRA file changes, from its headers; of the kind `embeddings`, the text encoders that a learned word fits.

        Raises ModelError for a file that is missing, damaged or of another kind, ModelMismatch if it does not fit the models in `bases`.
        """

    def use(self, recipe: ModelRecipe) -> AbstractContextManager[Any]:
        """The recipe's module, on the device, patched, in eval mode, for the `with` block only. Raises ModelError."""

    def tokenizer(self, recipe: TextEncoder) -> Any:
        """The `transformers` tokenizer that belongs to a text encoder. Raises ModelError."""


class ArtifactService(Protocol):
    """Files that a run makes for its user."""

    def save(self, data: bytes, *, suffix: str, media_type: str, prefix: str = "") -> File:
        """Keep bytes under a name made of prefix and content; the same bytes under the same prefix give the same name."""

    def save_image(
        self, data: bytes, *, suffix: str, media_type: str, width: int, height: int, prefix: str = ""
    ) -> ImageFile:
        """The same for an encoded picture."""

    def provenance(self) -> dict[str, str]:
        """What to write into a saved file: the workflow as JSON under `graphflow`, versions under `graphflow_versions`."""

    def input_path(self, name: str) -> Path:
        """Path of an input file: in the input folder, else relative to the workflow's folder, else as given. Raises InputFileError."""

    def input_folder(self, name: str) -> Path:
        """Path of a folder of input files, looked for in the same places. Raises InputFileError."""


class NodeContext(Protocol):
    """The nine services of a node."""

    @property
    def models(self) -> ModelService:
        """Model files and modules."""

    @property
    def artifacts(self) -> ArtifactService:
        """Files for the user."""

    @property
    def scratch(self) -> Path:
        """This node's own folder, the same for the same key in any process: resume from it. Made on first use."""

    @property
    def device(self) -> device:
        """The torch device of this run."""

    @property
    def log(self) -> Logger:
        """Log of this node."""

    def progress(self, items: Iterable[T], label: str = "", total: int | None = None) -> Iterator[T]:
        """The items, reporting each one, and stopping the node (RunCancelled) once the run is cancelled."""

    def preview(self, value: Any) -> None:
        """Show an unfinished result (an Image); rate-limited, and free when nobody watches.

        `value` may be a function that makes the image: it is called only when somebody watches.
        """

    def generator(self, seed: int) -> Generator:
        """A torch generator on the CPU, so that the same seed draws the same noise on every machine."""

    def check_cancelled(self) -> None:
        """Raise RunCancelled once the run is cancelled."""
