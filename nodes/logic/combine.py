"""Every pair of two lists."""

from typing import Any

from graphflow import Node, NodeContext, NodeOutputs, node


@node("combine", lane="io")
class Combine(Node):
    """Pair each element of one list with each element of another, to run a node once for every pair: a comparison grid.

    Map over both results together. The pairs come row by row: the second list runs through for each element of the first.
    """

    first: list[Any]
    """The rows of a grid."""
    second: list[Any]
    """The columns of a grid."""

    class Outputs(NodeOutputs):
        """The pairs, as two lists of one length."""

        first: list[Any]
        """First element of each pair."""
        second: list[Any]
        """Second element of each pair."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Pair them."""
        pairs = [(one, other) for one in self.first for other in self.second]
        return self.Outputs(first=[one for one, _ in pairs], second=[other for _, other in pairs])
