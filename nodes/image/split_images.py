"""A batch, picture by picture."""

from graphflow import Image, Node, NodeContext, NodeOutputs, node


@node("split_images", lane="io")
class SplitImages(Node):
    """Take a batch apart into a list of pictures, to map a node over them."""

    image: Image
    """The batch."""

    class Outputs(NodeOutputs):
        """The pictures."""

        images: list[Image]
        """One picture each, in order."""

    def run(self, ctx: NodeContext) -> Outputs:
        """As many as the batch has."""
        return self.Outputs(images=[Image(pixels[None].clone()) for pixels in self.image.pixels])
