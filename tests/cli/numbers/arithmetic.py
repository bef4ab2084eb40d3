"""Nodes on plain numbers."""

import time

from graphflow import Field, Node, NodeContext, SavedNodeEdit, migration, node


@node("number")
class Number(Node):
    """A number."""

    value: float = Field(default=0.0, ge=-1000, le=1000)
    """What it is."""

    def run(self, ctx: NodeContext) -> float:
        return self.value


@node("add", version=2)
class Add(Node):
    """Add two numbers."""

    left: float = 0.0
    right: float = 0.0

    def run(self, ctx: NodeContext) -> float:
        return self.left + self.right

    @migration(from_version=1)
    def _(saved: SavedNodeEdit) -> None:
        saved.rename_input("a", "left")
        saved.rename_input("b", "right")


@node("count", cache="disk")
class Count(Node):
    """Count slowly."""

    steps: int = Field(default=10, ge=1)
    pause: float = Field(default=0.0, ge=0)
    """Seconds for each step."""
    start: float = 0.0

    def run(self, ctx: NodeContext) -> float:
        total = self.start
        for _ in ctx.progress(range(self.steps), "counting"):
            time.sleep(self.pause)
            total += 1
        return total


@node("fail")
class Fail(Node):
    """Raise an error."""

    message: str = "it went wrong"
    start: float = 0.0

    def run(self, ctx: NodeContext) -> float:
        raise ValueError(self.message)
