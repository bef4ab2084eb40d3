"""Crisper pictures."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("sharpen_image", lane="io")
class SharpenImage(Node):
    """Sharpen pictures by an unsharp mask."""

    image: Image
    """One picture or several."""
    amount: Annotated[float, Slider(0, 3, step=0.1)] = Field(default=1.0, ge=0, le=20)
    """How strongly. 0 changes nothing."""
    radius: Annotated[float, Slider(0.5, 20, step=0.5)] = Field(default=1.0, gt=0, le=200)
    """Width of the edges to sharpen, in pixels: 1 for fine detail, more for soft pictures."""
    threshold: Annotated[float, Slider(0, 0.2, step=0.01)] = Field(default=0.0, ge=0, le=1)
    """Leave smaller differences than this as they are, so that grain does not grow. 0 sharpens everything."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size."""
        return Image(
            diffusion.sharpened(self.image.pixels, radius=self.radius, amount=self.amount, threshold=self.threshold)
        )
