"""Where a mask is."""

import graphflow.diffusion as diffusion
from graphflow import Mask, Node, NodeContext, NodeOutputs, node


@node("mask_box", lane="io")
class MaskBox(Node):
    """Measure the smallest box around all that is not black in a mask."""

    mask: Mask
    """The mask. Of several, one box around all."""

    class Outputs(NodeOutputs):
        """The box in pixels."""

        left: int
        """Its left edge."""
        top: int
        """Its upper edge."""
        width: int
        """Its width."""
        height: int
        """Its height."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a mask that is all black."""
        box = diffusion.mask_box(self.mask.values)
        return self.Outputs(left=box.left, top=box.top, width=box.width, height=box.height)
