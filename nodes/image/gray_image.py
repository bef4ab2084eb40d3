"""Pictures without colour."""

import graphflow.diffusion as diffusion
from graphflow import Image, Node, NodeContext, node


@node("gray_image", lane="io")
class GrayImage(Node):
    """Make pictures black and white, each colour as light as the eye sees it. Transparency stays as it is."""

    image: Image
    """One picture or several."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size, still with three channels."""
        return Image(diffusion.greyed(self.image.pixels))
