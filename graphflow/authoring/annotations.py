"""From Python annotations to port types."""

from __future__ import annotations

import enum
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from graphflow.authoring.describe import TypeSchema
from graphflow.authoring.lazy import Lazy
from graphflow.authoring.widgets import Widget
from graphflow.ports.base import PortType

_PLAIN: dict[type, TypeSchema] = {
    int: TypeSchema("int", "int", color="#4dd0e1"),
    float: TypeSchema("float", "float", color="#4dd0e1"),
    str: TypeSchema("str", "str", color="#aed581"),
    bool: TypeSchema("bool", "bool", color="#e57373"),
}
ANY = TypeSchema("any", "Any", color="#9aa0a6")


class UnsupportedAnnotation(TypeError):
    """An annotation that no port can have; the message says which are accepted."""


def strip_lazy(annotation: Any) -> tuple[Any, bool]:
    """`Lazy[T]` -> `(T, True)`, anything else -> `(annotation, False)`."""
    if get_origin(annotation) is Lazy:
        return get_args(annotation)[0], True
    return (Any, True) if annotation is Lazy else (annotation, False)


def strip_optional(annotation: Any) -> tuple[Any, bool]:
    """`T | None` -> `(T, True)`, anything else -> `(annotation, False)`."""
    if get_origin(annotation) in (Union, types.UnionType):
        kept = [option for option in get_args(annotation) if option is not type(None)]
        if len(kept) < len(get_args(annotation)):
            if len(kept) == 1:
                return kept[0], True
            return Union[tuple(kept)], True  # noqa: UP007
    return annotation, False


def find_widget(metadata: list[Any]) -> Widget | None:
    """The last hint among the things beside a type; the outermost comes last."""
    return next((item for item in reversed(metadata) if isinstance(item, Widget)), None)


def type_schema(annotation: Any, metadata: list[Any] | None = None) -> TypeSchema:
    """Describe an annotation (without `None` and `Lazy`). Raises UnsupportedAnnotation."""
    notes = list(metadata or [])
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return type_schema(inner, more + notes)
    if annotation is Any:
        return ANY
    if annotation in _PLAIN:
        return _limited(_PLAIN[annotation], notes)
    if isinstance(annotation, type) and issubclass(annotation, PortType):
        return _port(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice(tuple(member.value for member in annotation))
    origin = get_origin(annotation)
    if origin is Literal:
        return _choice(get_args(annotation))
    if origin is list:
        item = type_schema(get_args(annotation)[0])
        return _limited(TypeSchema("list", f"list[{item.name}]", item=item, color=item.color), notes)
    if annotation is list:
        return TypeSchema("list", "list[Any]", item=ANY, color=ANY.color)
    if origin is tuple or annotation in (dict, tuple) or origin is dict or hasattr(annotation, "model_fields"):
        return TypeSchema("json", getattr(annotation, "__name__", str(annotation)), color="#bcaaa4")
    raise UnsupportedAnnotation(
        f"{annotation!r} cannot be a port; use a PortType, int, float, str, bool, Literal, an enum, a list, tuple or dict of those, a pydantic "
        "model, Any, Lazy[T], or one of these with `| None`"
    )


def _port(cls: type[PortType]) -> TypeSchema:
    family = [base for base in cls.__mro__ if issubclass(base, PortType) and base is not PortType]
    return TypeSchema(
        "port", cls.__name__, bases=tuple(f"{base.__module__}:{base.__qualname__}" for base in family), color=cls.color
    )


def _choice(values: tuple[Any, ...]) -> TypeSchema:
    return TypeSchema("choice", " or ".join(repr(value) for value in values), choices=values, color="#aed581")


def _limited(schema: TypeSchema, notes: list[Any]) -> TypeSchema:
    from dataclasses import replace

    limits: dict[str, Any] = {}
    for note in _flat(notes):
        for kind, name in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt")):
            if isinstance(note, kind):
                limits[name] = getattr(note, name)
        if isinstance(note, MinLen):
            limits["min_length"] = note.min_length
        if isinstance(note, MaxLen):
            limits["max_length"] = note.max_length
        pattern = getattr(note, "pattern", None)
        if isinstance(pattern, str):
            limits["pattern"] = pattern
    return replace(schema, **limits) if limits else schema


def _flat(notes: list[Any]) -> list[Any]:
    return [part for note in notes for part in (note.metadata if isinstance(note, FieldInfo) else [note])]
