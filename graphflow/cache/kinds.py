"""The kinds of value that the cache tells apart, and what it says of those that it cannot keep.

Types are recognised by the names in their method resolution order, so that nothing here imports torch or numpy.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from graphflow.errors import CacheError

Kind = Literal[
    "plain", "bytes", "enum", "path", "list", "tuple", "dict", "dataclass", "tensor", "array", "scalar", "unknown"
]
"""`plain` is None, bool, int, float and str; `array` and `scalar` are numpy's."""

PLAIN: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes})
"""Types whose values nobody can change, so they may be shared as they are."""

_CONTAINERS: dict[type, Kind] = {list: "list", tuple: "tuple", dict: "dict", bytes: "bytes"}


_kinds: WeakKeyDictionary[type, Kind] = WeakKeyDictionary()
_fields: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


class CannotEncode(CacheError):
    """A value of a kind that the cache cannot keep; the message names its place and type."""

    def __init__(self, path: str, value: Any, reason: str = "") -> None:
        self.path = path
        cls = type(value)
        why = reason or (
            "results may hold tensors, arrays, plain values, enums, paths and dataclasses, "
            "in lists, tuples and dicts with text as keys"
        )
        super().__init__(
            f'the value at "{path or "."}", a {cls.__module__}.{cls.__qualname__}, cannot be kept in the cache: {why}'
        )


def kind_of(cls: type) -> Kind:
    """The kind of the values of a type. Subclasses of plain types and containers are `unknown`: they may hold more."""
    kind = _kinds.get(cls)
    if kind is None:
        kind = _kinds[cls] = _find_kind(cls)
    return kind


def field_names(cls: type) -> tuple[str, ...]:
    """Names of a dataclass's fields, in order."""
    names = _fields.get(cls)
    if names is None:
        names = _fields[cls] = tuple(field.name for field in dataclasses.fields(cls))
    return names


def _find_kind(cls: type) -> Kind:
    if cls in _CONTAINERS:
        return _CONTAINERS[cls]
    if cls in PLAIN:
        return "plain"
    if issubclass(cls, Enum):
        return "enum"
    if issubclass(cls, Path):
        return "path" if cls.__module__.partition(".")[0] == "pathlib" else "unknown"
    for base in cls.__mro__:
        match base.__module__, base.__qualname__:
            case "torch", "Tensor":
                return "tensor"
            case "numpy", "ndarray":
                return "array" if base is cls else "unknown"
            case "numpy", "generic":
                return "scalar"
            case _:
                pass
    return "dataclass" if dataclasses.is_dataclass(cls) else "unknown"


def is_frozen(cls: type) -> bool:
    """Whether a dataclass is declared frozen."""
    return bool(getattr(cls, "__dataclass_params__").frozen)  # noqa: B009 - the attribute is unknown to type checkers


def rebuild(cls: type, values: dict[str, Any]) -> Any:
    """An instance of a dataclass with exactly these fields; `__init__` and `__post_init__` do not run again."""
    instance: Any = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    return instance
