"""A picture of one colour."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, node


@node("solid_image", lane="io")
class SolidImage(Node):
    """Make a picture of one colour: a background, or something to begin with."""

    color: str = Field(default="white", max_length=50)
    """A name such as white, a code such as #ff8800 (or #ff880080, half transparent), or transparent."""
    width: int = Field(default=512, ge=1, le=32_768)
    """Width in pixels."""
    height: int = Field(default=512, ge=1, le=32_768)
    """Height in pixels."""
    batch: int = Field(default=1, ge=1, le=256)
    """How many."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for what is no colour."""
        return Image(diffusion.filled(self.color, batch=self.batch, height=self.height, width=self.width))
