"""The base of every value that travels on links only."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


def snake_case(name: str) -> str:
    """`TextEncoder` -> `text_encoder`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class PortType:
    """A value with no widget: it comes from another node, never from a saved file.

    Subclasses are small frozen dataclasses, `@dataclass(frozen=True, eq=False)`, whose fields are tensors, plain values,
    other port types, or tuples, lists and string-keyed dicts of these, so that the cache can store them without pickle.
    A subclass of a port type may go wherever its base may.
    """

    color: ClassVar[str] = "#9aa0a6"
    """Colour of the port in the editor, `#rrggbb`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept instances as they are; never copy or convert them."""
        return core_schema.is_instance_schema(cls)

    @classmethod
    def port_name(cls) -> str:
        """Name of an output port that carries this type, when the node does not name it."""
        return snake_case(cls.__name__)
