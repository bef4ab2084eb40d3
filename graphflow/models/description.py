"""What is known of a model file from its headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from graphflow.errors import ModelMismatch
from graphflow.models.headers import TensorHeader
from graphflow.ports.model import ModelRecipe

Layout = Literal["diffusers", "original"]


@dataclass(frozen=True)
class PartDescription:
    """One network of a model file."""

    config: Mapping[str, Any]
    """Arguments of the network's class, as its `config.json` has them."""
    tensors: Mapping[str, TensorHeader]
    """By the name that the network has in memory."""
    recipe: ModelRecipe
    """What goes on links, with file and fingerprint empty."""
    unknown: tuple[str, ...] = ()
    """Keys of the part that its layout does not have."""

    @property
    def elements(self) -> int:
        """Number of weights."""
        return sum(tensor.elements for tensor in self.tensors.values())


@dataclass(frozen=True)
class ModelDescription:
    """A model file as its headers tell."""

    path: Path
    family: str
    layout: Layout
    parts: Mapping[str, PartDescription]
    tokenizers: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the tokenizers that come with the model, by the text encoder that they belong to."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """What shapes cannot tell and nothing else told, with the value that was taken: `{"unet.attention_head_dim": "8"}`."""

    @property
    def tokenizer(self) -> Path | None:
        """Folder of the first text encoder's tokenizer."""
        return next(iter(self.tokenizers.values()), None)


def check_config(path: Path, part: str, *, config: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
    """Raise ModelMismatch if a configuration says other sizes than the tensors have."""
    for name, seen in shapes.items():
        said = config.get(name, seen)
        if _uniform(said) != _uniform(seen):
            raise ModelMismatch(
                f"{path}, {part}: the configuration says {name} = {said}, but the tensors have {seen}; "
                "configuration and weights belong to different models"
            )


def _uniform(value: Any) -> Any:
    """Lists of one repeated value count as the value: configurations write `2` and `[2, 2, 2, 2]` for the same."""
    items = list(value) if isinstance(value, list | tuple) else [value]
    return items[0] if items and all(item == items[0] for item in items) else items
