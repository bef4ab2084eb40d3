"""Softer pictures."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("blur_image", lane="io")
class BlurImage(Node):
    """Blur pictures."""

    image: Image
    """One picture or several."""
    radius: Annotated[float, Slider(0, 50, step=0.5)] = Field(default=2.0, ge=0, le=500)
    """How far each pixel spreads, in pixels. 0 changes nothing."""
    kind: Literal["gaussian", "box"] = "gaussian"
    """gaussian is soft and round; box takes the mean of a square, and only whole pixels."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size."""
        if self.kind == "box":
            return Image(diffusion.box_mean(self.image.pixels, round(self.radius)))
        return Image(diffusion.gaussian_blur(self.image.pixels, self.radius))
