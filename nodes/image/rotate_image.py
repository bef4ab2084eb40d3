"""Turned pictures."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("rotate_image", lane="io")
class RotateImage(Node):
    """Turn pictures clockwise. Quarter turns keep every pixel."""

    image: Image
    """One picture or several."""
    degrees: Annotated[float, Slider(-180, 180, step=1)] = Field(default=90.0, ge=-3600, le=3600)
    """How far, clockwise. Less than 0 turns the other way."""
    expand: bool = True
    """Make the picture as large as what is turned needs. Off, it keeps its size, and corners are cut off."""
    fill: str = Field(default="black", max_length=50)
    """Colour of the corners: a name, a code such as #ff8800, or transparent."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for what is no colour."""
        return Image(diffusion.rotated(self.image.pixels, self.degrees, expand=self.expand, fill=self.fill))
