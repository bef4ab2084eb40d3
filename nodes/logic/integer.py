"""Whole numbers to link to several places."""

from graphflow import Node, NodeContext, NodeOutputs, node


@node("integer", lane="io")
class Integer(Node):
    """A whole number that several nodes share, such as a width or a seed."""

    value: int = 0
    """Any whole number."""

    class Outputs(NodeOutputs):
        """The number."""

        value: int
        """As it was given."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand it on."""
        return self.Outputs(value=self.value)


@node("integer_list", lane="io")
class IntegerList(Node):
    """Several whole numbers. Map a node over them to run it once for each."""

    values: list[int] = []
    """The whole numbers, in order."""

    class Outputs(NodeOutputs):
        """The list."""

        values: list[int]
        """The whole numbers, in order."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand them on."""
        return self.Outputs(values=self.values)
