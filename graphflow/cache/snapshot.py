"""Private copies of values, and their sizes."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

from graphflow.cache.kinds import PLAIN, CannotEncode, field_names, is_frozen, kind_of, rebuild

_OBJECT_BYTES = 64
"""Rough size of an object's header and its place in a container."""


def plain_size(value: Any) -> int | None:
    """Bytes of a dict that holds only immutable values, of which `dict(value)` is a full copy; None for anything else."""
    if type(value) is not dict:
        return None
    total = _OBJECT_BYTES
    for item in value.values():
        if type(item) not in PLAIN:
            return None
        total += sys.getsizeof(item)
    return total


def snapshot(value: Any, *, on_cpu: bool = False) -> Any:
    """A copy that shares nothing changeable with the value: tensors are cloned, containers rebuilt.

    Immutable values are returned as they are. With `on_cpu`, tensors of other devices are copied to the CPU's memory.
    Raises CannotEncode for what cannot be copied.
    """
    if type(value) in PLAIN:
        return value
    try:
        return _copy(value, on_cpu)
    except RecursionError:
        raise CannotEncode("", value, "it is nested too deeply, or holds itself") from None


def _copy(value: Any, on_cpu: bool) -> Any:
    cls = type(value)
    if cls in PLAIN:
        return value
    match kind_of(cls):
        case "dict":
            return {key: item if type(item) in PLAIN else _copy(item, on_cpu) for key, item in value.items()}
        case "list":
            return [item if type(item) in PLAIN else _copy(item, on_cpu) for item in value]
        case "tuple":
            items = tuple(item if type(item) in PLAIN else _copy(item, on_cpu) for item in value)
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        case "dataclass":
            return _copy_dataclass(cls, value, on_cpu)
        case "tensor":
            return _copy_tensor(value, on_cpu)
        case "array":
            return value.copy()
        case "enum" | "path" | "scalar":
            return value
        case _:
            return _copy_unknown(value)


def _copy_tensor(value: Any, on_cpu: bool) -> Any:
    try:
        return value.detach().to("cpu", copy=True) if on_cpu else value.detach().clone()
    except RuntimeError as error:  # no data (meta device), or no memory left
        raise CannotEncode("", value, f"it cannot be copied ({error})") from error


def _copy_dataclass(cls: type, value: Any, on_cpu: bool) -> Any:
    old = {name: getattr(value, name) for name in field_names(cls) if hasattr(value, name)}
    new = {name: _copy(item, on_cpu) for name, item in old.items()}
    if is_frozen(cls) and all(new[name] is old[name] for name in old):
        return value
    return rebuild(cls, new)


def _copy_unknown(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except RecursionError:
        raise
    except Exception as error:
        raise CannotEncode("", value, f"it cannot be copied ({error})") from error


def size_of(value: Any) -> int:
    """Bytes that a value takes in memory, roughly; what it holds twice counts once."""
    if type(value) in PLAIN:
        return sys.getsizeof(value)
    total = 0
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        cls = type(item)
        if cls in PLAIN:
            total += sys.getsizeof(item)
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        total += _OBJECT_BYTES
        match kind_of(cls):
            case "tensor":
                total += item.numel() * item.element_size()
            case "array":
                total += item.nbytes
            case _:
                waiting.extend(_parts(item))
    return total


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif kind_of(type(value)) == "dataclass":
        yield from (getattr(value, name, None) for name in field_names(type(value)))
    elif kind_of(type(value)) == "unknown":
        yield from vars(value).values() if hasattr(value, "__dict__") and not isinstance(value, type) else ()
