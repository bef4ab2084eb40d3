"""The opposite of a mask."""

from graphflow import Mask, Node, NodeContext, node


@node("invert_mask", lane="io")
class InvertMask(Node):
    """Swap black and white: what was masked is free, and the other way round."""

    mask: Mask
    """The mask."""

    def run(self, ctx: NodeContext) -> Mask:
        """A mask of the same size."""
        return Mask(1 - self.mask.values)
