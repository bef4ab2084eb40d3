"""Soft edges."""

import graphflow.diffusion as diffusion
from graphflow import Field, Mask, Node, NodeContext, node
from graphflow.diffusion import FeatherSide


@node("feather_mask", lane="io")
class FeatherMask(Node):
    """Let the edge of a mask fade."""

    mask: Mask
    """The mask."""
    pixels: int = Field(default=16, ge=0, le=512)
    """Width of the soft edge."""
    side: FeatherSide = "outside"
    """Where it lies: outside the mask, which stays white; inside, so that what is around stays black; or half and half, which blurs the mask."""

    def run(self, ctx: NodeContext) -> Mask:
        """A mask of the same size."""
        return Mask(diffusion.feather_mask(self.mask.values, self.pixels, side=self.side))
