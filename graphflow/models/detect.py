"""Which family a model file belongs to, from keys and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphflow.errors import UnknownModelFormat
from graphflow.models.description import ModelDescription
from graphflow.models.detectors import controlnet, rrdbnet, spandrel, stable_diffusion
from graphflow.models.detectors.families import DIFFUSION_FAMILIES
from graphflow.models.lora.names import parse_key
from graphflow.models.source import ModelSource, read_source

Detector = Callable[[ModelSource], ModelDescription | None]
"""Describes a source of its family; None if it is of another. Raises ModelMismatch if it is one of its own, but contradicts itself."""


@dataclass(frozen=True)
class Family:
    """A model family and how to know it."""

    name: str
    title: str
    detector: Detector
    """Families that are told from one another by the same keys share one."""


FAMILIES = (
    *(Family(family.name, family.title, stable_diffusion.detect) for family in DIFFUSION_FAMILIES),
    Family(rrdbnet.FAMILY, rrdbnet.TITLE, rrdbnet.detect),
)
"""Families in the order in which they are asked; the first that knows the file describes it."""


def detect(path: Path, config: Mapping[str, Mapping[str, Any]] | None = None) -> ModelDescription:
    """Describe a model file or folder from its headers; reads no weights.

    `config` gives configurations by part (`unet`, `vae`, `text_encoder`, `text_encoder_2`, `controlnet`, `scheduler`) for what shapes
    cannot tell, such as the number of attention heads; so do `<file>.json` beside the file and its `graphflow.config` metadata.
    Raises UnknownModelFormat, ModelMismatch, or ModelError for a damaged file.
    """
    source = read_source(path, config)
    for detector in (controlnet.detect, *dict.fromkeys(family.detector for family in FAMILIES), spandrel.detect):
        if (description := detector(source)) is not None:
            return description
    keys = source.keys
    if keys and all(parse_key(key) is not None for key in keys):
        raise UnknownModelFormat(
            f"{path} is a LoRA, which changes a model and is none itself; put it on a model with the node load_lora"
        )
    known = "; ".join(f"{family.name} ({family.title})" for family in FAMILIES)
    raise UnknownModelFormat(
        f"{path} fits no model family that graphflow knows. It holds {len(keys)} tensors"
        + (f", such as {', '.join(keys[:6])}" if keys else "")
        + f". Known families: {known}. {spandrel.advice()}".rstrip()
    )
