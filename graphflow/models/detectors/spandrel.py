"""Upscalers of all other architectures, through the library spandrel, which is an extra (`graphflow[upscale]`)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from graphflow.errors import ModelError, UnknownModelFormat
from graphflow.models.description import ModelDescription, PartDescription
from graphflow.models.source import ModelSource
from graphflow.ports.model import Upscaler

if TYPE_CHECKING:
    from graphflow.models.loaders.spandrel import SpandrelUpscaler

FAMILY = "spandrel"
PART = "upscaler"
INSTALL = "install them with `pip install 'graphflow[upscale]'`, taking a torchvision that fits your torch (pytorch.org/get-started)"
_NEEDED = ("spandrel", "torchvision")


def detect(source: ModelSource) -> ModelDescription | None:
    """Describe an upscaler that spandrel knows; None for anything else, and where spandrel is not installed.

    The scale is known only to the network, so this reads the weights, which are few. Raises ModelError where spandrel cannot be imported.
    """
    if missing() or not source.headers.tensors:
        return None
    upscaler = _loaded(source)
    if upscaler is None:
        return None
    if not upscaler.takes_pictures:
        raise UnknownModelFormat(
            f"{source.path} is a {upscaler.architecture} model for {upscaler.purpose}; graphflow upscales pictures of three colours"
        )
    recipe = Upscaler(file="", fingerprint="", family=FAMILY, part=PART, scale=upscaler.scale)
    described = PartDescription({"architecture": upscaler.architecture}, source.headers.tensors, recipe)
    return ModelDescription(source.path, FAMILY, "original", {PART: described})


def missing() -> tuple[str, ...]:
    """What spandrel needs and is not installed."""
    return tuple(name for name in _NEEDED if find_spec(name) is None)


def advice() -> str:
    """What to do about an upscaler that is not known, as a sentence; empty where spandrel is installed."""
    if not missing():
        return ""
    return f"If it is an upscaler, it needs {' and '.join(missing())}; {INSTALL}."


def _loaded(source: ModelSource) -> SpandrelUpscaler | None:
    try:
        from graphflow.models.loaders.spandrel import read_upscaler
    except Exception as error:  # a torchvision for another torch fails at import with errors of many kinds
        raise ModelError(
            f"{source.path} may be an upscaler for spandrel, which cannot be imported ({type(error).__name__}: {error}); {INSTALL}"
        ) from error
    return read_upscaler(source.headers.tensors)
