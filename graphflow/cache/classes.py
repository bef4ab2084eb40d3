"""Classes by name: `module:QualName`, found again without pickle."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable
from enum import Enum
from types import ModuleType

from graphflow.errors import CacheError

FindModule = Callable[[str], ModuleType | None]
"""Gives the module of a name, or None when it is not there."""


class DecodeError(CacheError):
    """A stored value cannot be put together again."""


class ModuleNotLoaded(DecodeError):
    """A stored value holds a class of a module that is not imported, such as a pack's. The stored value may be sound."""


def loaded_module(name: str) -> ModuleType | None:
    """A module that is already imported, or one of graphflow's own, which is imported; None for any other."""
    module = sys.modules.get(name)
    if module is None and name.partition(".")[0] == "graphflow":
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            return None
    return module


def class_name(cls: type) -> str | None:
    """`module:QualName` of a class; None when another process could not find it by that name."""
    if cls.__module__ == "__main__":
        return None
    name = f"{cls.__module__}:{cls.__qualname__}"
    try:
        return name if find_class(name) is cls else None
    except DecodeError:
        return None


def find_class(name: str, find_module: FindModule = loaded_module) -> type:
    """The dataclass or enum of a stored name.

    Raises ModuleNotLoaded when its module is not imported, DecodeError when the module has no such dataclass or enum.
    """
    module_name, _, qualname = name.partition(":")
    module = find_module(module_name)
    if module is None:
        raise ModuleNotLoaded(f'the module "{module_name}" of the stored class "{qualname}" is not loaded')
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, Enum)):
        return found
    raise DecodeError(f'the module "{module_name}" has no dataclass or enum "{qualname}"')
