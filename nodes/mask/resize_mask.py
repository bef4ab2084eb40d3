"""Masks in another size."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, node
from graphflow.diffusion import Filter


@node("resize_mask", lane="io")
class ResizeMask(Node):
    """Stretch a mask to another size: that of a picture, or one in pixels."""

    mask: Mask
    """The mask."""
    image: Image | None = None
    """A picture whose size the mask takes; then leave the rest empty."""
    width: int | None = Field(default=None, ge=1, le=16384)
    """New width in pixels. Given without a height, the height follows the proportions."""
    height: int | None = Field(default=None, ge=1, le=16384)
    """New height in pixels. Given without a width, the width follows the proportions."""
    factor: float | None = Field(default=None, gt=0, le=64)
    """Times as wide and high."""
    filter: Filter = "bilinear"
    """nearest keeps edges hard, all others soften them a little."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError for a size that is given in no way, or in several."""
        sides = diffusion.Sides(self.width, self.height, factor=self.factor)
        if self.image is not None:
            if sides != diffusion.Sides():
                raise ValueError("the new size is given by a picture and by numbers; use one of the two")
            sides = diffusion.Sides(self.image.width, self.image.height)
        resized = diffusion.resized_to(self.mask.values.unsqueeze(1), sides, fit="stretch", filter=self.filter)
        return Mask(resized[:, 0])
