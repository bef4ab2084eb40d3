"""Wider and narrower masks."""

import graphflow.diffusion as diffusion
from graphflow import Field, Mask, Node, NodeContext, node


@node("grow_mask", lane="io")
class GrowMask(Node):
    """Widen a mask to all sides, or make it narrower."""

    mask: Mask
    """The mask."""
    pixels: int = Field(default=8, ge=-512, le=512)
    """How far to move its edge: positive numbers widen it, negative ones make it narrower."""

    def run(self, ctx: NodeContext) -> Mask:
        """A mask of the same size."""
        change = diffusion.grow_mask if self.pixels >= 0 else diffusion.shrink_mask
        return Mask(change(self.mask.values, abs(self.pixels)))
