"""Small real nodes that the tests of `graphflow.graph` write workflows with."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import pytest

from graphflow import (
    Field,
    InputFile,
    Lazy,
    ModelFile,
    Node,
    NodeContext,
    NodeOutputs,
    PortType,
    SavedNodeEdit,
    Seed,
    migration,
    node,
)
from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.migration import Migration


@dataclass(frozen=True, eq=False)
class Paint(PortType):
    """A port type."""

    color: ClassVar[str] = "#ff0000"


@dataclass(frozen=True, eq=False)
class GlossyPaint(Paint):
    """A port type that stands for another."""


@node("number")
class Number(Node):
    """A whole number."""

    value: int = Field(default=0, ge=-1000, le=1000)

    def run(self, ctx: NodeContext) -> int:
        return self.value


@node("add")
class Add(Node):
    """The sum of two numbers."""

    a: int
    b: int = 0

    def run(self, ctx: NodeContext) -> int:
        return self.a + self.b


@node("total")
class Total(Node):
    """The sum of many numbers."""

    numbers: list[int]

    def run(self, ctx: NodeContext) -> int:
        return sum(self.numbers)


@node("range")
class Range(Node):
    """Numbers from 0."""

    count: int = Field(default=3, ge=0)

    def run(self, ctx: NodeContext) -> list[int]:
        return list(range(self.count))


@node("words")
class Words(Node):
    """A text from settings of every kind."""

    text: str = Field(default="", max_length=50)
    style: Literal["plain", "loud"] = "plain"
    weight: float = Field(default=1.0, gt=0, le=4)
    enabled: bool = True
    tags: list[str] = Field(default=[], max_length=3)
    seed: Seed = 0
    code: str = Field(default="ab", pattern="^[a-z]+$")
    note: str | None = None
    box: tuple[float, float] = (0.0, 1.0)

    def run(self, ctx: NodeContext) -> str:
        return self.text


@node("mix")
class Mix(Node):
    """Paint of one colour."""

    name: str

    def run(self, ctx: NodeContext) -> Paint:
        return Paint()


@node("gloss")
class Gloss(Node):
    """Glossy paint."""

    def run(self, ctx: NodeContext) -> GlossyPaint:
        return GlossyPaint()


@node("blend")
class Blend(Node):
    """Many paints made one."""

    paints: list[Paint]
    lid: GlossyPaint | None = None

    def run(self, ctx: NodeContext) -> Paint:
        return Paint()


@node("open", sink=False)
class Open(Node):
    """Paint from files."""

    model: Annotated[str, ModelFile("paints")] = ""
    picture: Annotated[str, InputFile("image")] = ""

    def run(self, ctx: NodeContext) -> Paint:
        return Paint()


@node("switch")
class Switch(Node):
    """One of two branches."""

    condition: bool
    on_true: Lazy[Any]
    on_false: Lazy[Any]

    def run(self, ctx: NodeContext) -> Any:
        return (self.on_true if self.condition else self.on_false).get()


@node("show", sink=True)
class Show(Node):
    """Shows anything."""

    value: Any

    def run(self, ctx: NodeContext) -> None:
        return None


@node("split", version=3, replaces=("core.cut",))
class Split(Node):
    """Halves of a number; the third version."""

    number: int
    parts: int = 4

    class Outputs(NodeOutputs):
        first: int
        second: int

    def run(self, ctx: NodeContext) -> Outputs:
        return self.Outputs(first=1, second=2)

    @migration(from_version=1)
    def _(saved: SavedNodeEdit) -> None:
        saved.rename_input("amount", "number")
        saved.remove_input("mode")
        saved.rename_output("low", "left")
        saved.rename_output("high", "second")

    @migration(from_version=2)
    def _(saved: SavedNodeEdit) -> None:
        saved.rename_output("left", "first")
        saved.keep_default("parts", 2)


@node("fragile", version=2)
class Fragile(Node):
    """Its migration fails."""

    def run(self, ctx: NodeContext) -> int:
        return 1

    @migration(from_version=1)
    def _(saved: SavedNodeEdit) -> None:
        saved.values["gone"] += 1


NODES = (Number, Add, Total, Range, Words, Mix, Gloss, Blend, Open, Switch, Show, Split, Fragile)


class SampleTypes:
    """The nodes above as the pack `core` 0.3, and a pack `torn` that could not be loaded."""

    def __init__(self) -> None:
        self._schemas: dict[str, NodeSchema] = {}
        self._migrations: dict[str, Mapping[int, Migration]] = {}
        for cls in NODES:
            schema = replace(cls.node_spec.schema, pack="core")
            for name in (schema.type, *schema.replaces):
                self._schemas[name] = schema
                self._migrations[name] = cls.node_spec.migrations

    def schema(self, type_name: str) -> NodeSchema | None:
        return self._schemas.get(type_name)

    def migrations(self, type_name: str) -> Mapping[int, Migration]:
        return self._migrations[type_name]

    def pack_version(self, pack: str) -> str | None:
        return {"core": "0.3", "torn": "1.0"}.get(pack)

    def pack_error(self, pack: str) -> str | None:
        trace = "Traceback (most recent call last):\n  File ...\nModuleNotFoundError: No module named 'ink'\n"
        return trace if pack == "torn" else None

    def near(self, type_name: str) -> list[str]:
        return difflib.get_close_matches(type_name, list(self._schemas), n=3)


@pytest.fixture(scope="session")
def types() -> SampleTypes:
    """The node types above."""
    return SampleTypes()
