"""Numbers about a picture."""

from graphflow import Image, Node, NodeContext, NodeOutputs, node


@node("image_size", lane="io")
class ImageSize(Node):
    """Tell how large pictures are, to give other nodes the same size."""

    image: Image
    """One picture or several."""

    class Outputs(NodeOutputs):
        """The numbers."""

        width: int
        """Pixels across."""
        height: int
        """Pixels down."""
        count: int
        """How many pictures the batch has."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Read them off."""
        return self.Outputs(width=self.image.width, height=self.image.height, count=len(self.image.pixels))
