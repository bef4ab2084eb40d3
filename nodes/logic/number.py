"""Numbers to link to several places."""

from graphflow import Node, NodeContext, NodeOutputs, node


@node("number", lane="io")
class Number(Node):
    """A number that several nodes share, such as a guidance."""

    value: float = 0.0
    """Any number."""

    class Outputs(NodeOutputs):
        """The number."""

        value: float
        """As it was given."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand it on."""
        return self.Outputs(value=self.value)


@node("number_list", lane="io")
class NumberList(Node):
    """Several numbers. Map a node over them to run it once for each."""

    values: list[float] = []
    """The numbers, in order."""

    class Outputs(NodeOutputs):
        """The list."""

        values: list[float]
        """The numbers, in order."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand them on."""
        return self.Outputs(values=self.values)
