"""Masks without holes."""

import graphflow.diffusion as diffusion
from graphflow import Mask, Node, NodeContext, node


@node("fill_mask_holes", lane="io")
class FillMaskHoles(Node):
    """Make white what a mask surrounds on all sides, as after a selection by colour."""

    mask: Mask
    """The mask."""

    def run(self, ctx: NodeContext) -> Mask:
        """A mask of the same size."""
        return Mask(diffusion.fill_holes(self.mask.values))
