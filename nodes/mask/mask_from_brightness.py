"""A mask of light or dark parts."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, Slider, node

_Share = Annotated[float, Field(ge=0, le=1), Slider(0, 1, step=0.01)]


@node("mask_from_brightness", lane="io")
class MaskFromBrightness(Node):
    """A mask that is white wherever a picture is as bright as asked for: light parts from 0.5 to 1, dark ones from 0 to 0.5."""

    image: Image
    """The picture."""
    low: _Share = 0.5
    """The darkest that counts: 0 is black."""
    high: _Share = 1.0
    """The brightest that counts: 1 is white."""
    softness: _Share = 0.0
    """Over how much more difference the mask fades to black."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError when low is above high."""
        brightness = diffusion.channel_mask(self.image.pixels)
        return Mask(diffusion.range_mask(brightness, low=self.low, high=self.high, softness=self.softness))
