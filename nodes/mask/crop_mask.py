"""A part of a mask."""

import graphflow.diffusion as diffusion
from graphflow import Field, Mask, Node, NodeContext, node


@node("crop_mask", lane="io")
class CropMask(Node):
    """Cut a part out of a mask."""

    mask: Mask
    """The mask."""
    left: int = Field(default=0, ge=0, le=16384)
    """Where the part begins, in pixels from the left."""
    top: int = Field(default=0, ge=0, le=16384)
    """Where the part begins, in pixels from above."""
    width: int = Field(default=512, ge=1, le=16384)
    """Width of the part in pixels."""
    height: int = Field(default=512, ge=1, le=16384)
    """Height of the part in pixels."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError for a part that is not within the mask."""
        box = diffusion.PixelBox(self.left, self.top, self.width, self.height)
        return Mask(diffusion.cut_box(self.mask.values, box))
