"""Pictures in their opposite colours."""

import graphflow.diffusion as diffusion
from graphflow import Image, Node, NodeContext, node


@node("invert_image", lane="io")
class InvertImage(Node):
    """Turn each colour into its opposite, as in a negative. Transparency stays as it is."""

    image: Image
    """One picture or several."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size."""
        return Image(diffusion.inverted(self.image.pixels))
