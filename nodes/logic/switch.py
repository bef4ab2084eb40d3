"""One of two branches."""

from typing import Any

from graphflow import Lazy, Node, NodeContext, node


@node("switch", lane="io")
class Switch(Node):
    """Hand on one of two values. The branch that is not taken never runs."""

    condition: bool = True
    """Which branch to take."""
    on_true: Lazy[Any]
    """Taken when the condition is true."""
    on_false: Lazy[Any]
    """Taken when it is false."""

    def run(self, ctx: NodeContext) -> Any:  # whatever is linked passes through
        """Ask for the one branch."""
        return self.on_true.get() if self.condition else self.on_false.get()
