"""What the engine needs from the house, as protocols; `graphflow.app` fills them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from graphflow.authoring.context import ModelService
from graphflow.authoring.describe import CachePolicy, InputSchema
from graphflow.authoring.node import NodeSpec
from graphflow.ports.file import File, ImageFile

if TYPE_CHECKING:
    from torch import device

Result = dict[str, Any]
"""What a node gave: output name -> value."""


class NodeClasses(Protocol):
    """Node classes by type name."""

    def spec(self, type_name: str) -> NodeSpec:
        """The class behind a type; imports its module. Raises PackError."""


class ResultStore(Protocol):
    """Results by key. Values handed in and out share no mutable state with those kept."""

    def contains(self, key: str) -> bool:
        """Whether `get` would find it; cheap."""

    def get(self, key: str) -> Result | None:
        """The result, or None."""

    def put(
        self,
        key: str,
        result: Result,
        *,
        seconds: float,
        policy: CachePolicy,
        node_type: str,
        explain: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """Keep a result that took so many seconds to make; `explain` holds the key's parts, or gives them when they are wanted."""

    def put_fan(
        self,
        key: str,
        outputs: Sequence[str],
        element_keys: Sequence[str],
        *,
        seconds: float,
        policy: CachePolicy,
        node_type: str,
    ) -> None:
        """Keep which elements a mapped node's result consists of; `seconds` is their sum."""

    def fan(self, key: str) -> list[str] | None:
        """The element keys of a mapped node's result, None when it or any element is missing."""

    def scratch(self, key: str) -> Path:
        """A folder for that key's own use, the same in any process; made if missing."""

    def flush(self) -> None:
        """Wait until everything handed in is stored."""


class ArtifactFiles(Protocol):
    """Files for the user."""

    def save(self, data: bytes, *, suffix: str, media_type: str, prefix: str = "") -> File:
        """Keep bytes under a name made of prefix and content."""

    def save_image(
        self, data: bytes, *, suffix: str, media_type: str, width: int, height: int, prefix: str = ""
    ) -> ImageFile:
        """The same for an encoded picture."""

    def path(self, name: str) -> Path:
        """Where an artifact lies."""


class FileFingerprints(Protocol):
    """Content digests of the files that inputs name."""

    def fingerprint(self, schema: InputSchema, name: str, folder: Path) -> str:
        """Digest of the file's content, or of what lies in the folder. Raises ModelNotFound or InputFileError."""

    def input_path(self, name: str, folder: Path) -> Path:
        """Path of an input file. Raises InputFileError."""

    def input_folder(self, name: str, folder: Path) -> Path:
        """Path of a folder of input files. Raises InputFileError."""


@dataclass(frozen=True)
class Services:
    """Everything that runs of one process share."""

    classes: NodeClasses
    cache: ResultStore
    models: ModelService
    artifacts: ArtifactFiles
    files: FileFingerprints
    device: Callable[[], device]
    salt: Mapping[str, str] = field(default_factory=dict)
    """What changes bits and stands in no input: torch version, device kind, precision, attention backend."""
    dev: bool = False
    """Check that nodes leave their inputs alone."""
