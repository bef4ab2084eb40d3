"""Inputs that are computed only if the node asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")

_UNSET = object()


class Lazy(Generic[T]):
    """An input whose branch of the graph runs when `get` is called, once, or never.

    on_true: Lazy[Any]
    ...
    return self.on_true.get()
    """

    __slots__ = ("_compute", "_value")

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._value: object = _UNSET

    @classmethod
    def of(cls, value: T) -> Lazy[T]:
        """A lazy input whose value is there already; for literal values and tests."""
        return cls(lambda: value)

    def get(self) -> T:
        """Run what leads to this input, now, and return its value; the second call returns the same value."""
        if self._value is _UNSET:
            self._value = self._compute()
        return cast("T", self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept `Lazy` objects only; the engine makes them."""
        return core_schema.is_instance_schema(Lazy)
