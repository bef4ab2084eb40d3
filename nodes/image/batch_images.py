"""Pictures side by side in a batch."""

import graphflow.diffusion as diffusion
from graphflow import Image, Node, NodeContext, node


@node("batch_images", lane="io")
class BatchImages(Node):
    """Join pictures of one size into a batch, to be worked on together."""

    images: list[Image]
    """The pictures, in order. A batch counts as several."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for none, and for sizes that differ."""
        return Image(diffusion.joined_pictures([image.pixels for image in self.images]))
