"""Edges of pictures."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("canny")
class Canny(Node):
    """Draw the edges of pictures as thin white lines on black, for a ControlNet that looks for edges."""

    image: Image
    """One picture or several."""
    low: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.1, gt=0, le=4)
    """Where a line goes on: it follows an edge for as long as the brightness changes by more than this. Not above high."""
    high: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.2, gt=0, le=4)
    """Where a line begins: how much the brightness must change. Higher values leave faint edges out; a step from black to white counts 4."""
    method: Literal["kornia", "opencv"] = "kornia"
    """kornia smooths a little first. opencv draws what many ControlNets were trained on, with 0.4 and 0.8; install it as graphflow[opencv]."""

    def run(self, ctx: NodeContext) -> Image:
        """White lines on black, of the same size. Raises ValueError when low is above high, or OpenCV is not installed."""
        return Image(diffusion.canny_edges(self.image.pixels, low=self.low, high=self.high, method=self.method))
