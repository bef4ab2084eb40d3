"""One of many pictures."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, node


@node("pick_image", lane="io")
class PickImage(Node):
    """Take one or more neighbours out of a batch of pictures."""

    image: Image
    """The batch."""
    number: int = Field(default=0, ge=-100_000, le=100_000)
    """Which one to begin with: 0 is the first one, -1 the last one."""
    count: int = Field(default=1, ge=1, le=100_000)
    """How many to take."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for pictures that the batch does not have."""
        return Image(diffusion.picked_pictures(self.image.pixels, first=self.number, count=self.count))
