"""Making lists and taking them apart."""

from typing import Any

from graphflow import Field, Node, NodeContext, NodeOutputs, node


@node("make_list", lane="io")
class MakeList(Node):
    """Gather several values into one list, in the order of their links."""

    values: list[Any]
    """The values; a list that is linked adds all its elements."""

    class Outputs(NodeOutputs):
        """The list."""

        values: list[Any]
        """All values, in order."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand them on."""
        return self.Outputs(values=self.values)


@node("list_element", lane="io")
class ListElement(Node):
    """Take one element out of a list."""

    values: list[Any]
    """The list."""
    position: int = Field(default=0, ge=-100_000, le=100_000)
    """0 is the first element, -1 the last one."""

    def run(self, ctx: NodeContext) -> Any:  # whatever is linked passes through
        """Raises ValueError for a position outside the list."""
        length = len(self.values)
        if not -length <= self.position < length:
            reach = f"use {-length} to {length - 1}" if length else "it is empty"
            raise ValueError(f"position {self.position} is outside a list of {length} elements; {reach}")
        return self.values[self.position]
