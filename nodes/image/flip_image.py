"""Mirrored pictures."""

import graphflow.diffusion as diffusion
from graphflow import Image, Node, NodeContext, node
from graphflow.diffusion import MirrorAxis


@node("flip_image", lane="io")
class FlipImage(Node):
    """Mirror pictures."""

    image: Image
    """One picture or several."""
    axis: MirrorAxis = "horizontal"
    """horizontal swaps left and right, vertical top and bottom."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size."""
        return Image(diffusion.mirrored(self.image.pixels, self.axis))
