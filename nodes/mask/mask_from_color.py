"""A mask of one colour."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, Slider, node


@node("mask_from_color", lane="io")
class MaskFromColor(Node):
    """A mask that is white wherever a picture has a colour, or one like it."""

    image: Image
    """The picture."""
    color: str = Field(default="white", max_length=50)
    """The colour: a name, or a code such as #ff8800."""
    tolerance: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.1, ge=0, le=1)
    """How different a colour may be and still count: 0 for this one alone, 1 for all. Black and white are 1 apart."""
    softness: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.0, ge=0, le=1)
    """Over how much more difference the mask fades to black."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError for what is no colour."""
        return Mask(
            diffusion.colour_mask(self.image.pixels, self.color, tolerance=self.tolerance, softness=self.softness)
        )
