"""Hints on plain inputs: how the editor shows them and what kind of file a name means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

MAX_SEED = 2**53 - 1
"""Largest seed: browsers round larger integers."""


@dataclass(frozen=True)
class Widget:
    """Base of all hints; put one beside a type with `Annotated`."""

    def describe(self) -> dict[str, Any]:
        """The hint as JSON for the editor: `{"kind": ..., its settings}`."""
        settings = {name: value for name, value in vars(self).items() if value is not None}
        return {"kind": type(self).__name__, **settings}


@dataclass(frozen=True)
class Slider(Widget):
    """A number chosen on a slider from `low` to `high`. Sets no limits: those are the field's `ge` and `le`."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True)
class SeedField(Widget):
    """A seed with a button for a new one."""


@dataclass(frozen=True)
class TextArea(Widget):
    """Text of many lines."""

    rows: int = 4


@dataclass(frozen=True)
class RegionEditor(Widget):
    """Boxes, points, scribbles and masks drawn over a picture."""


@dataclass(frozen=True)
class FileKind(Widget):
    """The input names a file: its content, not its name, decides whether a cached result still holds."""


@dataclass(frozen=True)
class ModelFile(FileKind):
    """A name in the model catalogue: `Annotated[str, ModelFile("checkpoints")]`."""

    folder: str = "checkpoints"
    """Folder under `GRAPHFLOW_HOME/models`: `checkpoints`, `vaes`, `loras`, `controlnets`..."""


@dataclass(frozen=True)
class InputFile(FileKind):
    """A file that the user brings: `Annotated[str, InputFile("image")]`. A `folder` counts by which files lie in it, and since when."""

    media: Literal["image", "mask", "video", "audio", "text", "folder", "any"] = "any"


Seed = Annotated[int, Field(ge=0, le=MAX_SEED), SeedField()]
"""A random seed, 0 to 2^53 - 1."""

LongText = Annotated[str, TextArea()]
"""Text of many lines, such as a prompt."""

Regions = Annotated[str, RegionEditor()]
"""Regions drawn over a picture, as JSON text."""
