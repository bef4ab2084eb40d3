"""A part of a picture."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, node
from graphflow.diffusion import Anchor


@node("crop_image", lane="io")
class CropImage(Node):
    """Cut a part out of pictures."""

    image: Image
    """One picture or several."""
    width: int = Field(default=512, ge=1, le=32_768)
    """Width of the part in pixels."""
    height: int = Field(default=512, ge=1, le=32_768)
    """Height of the part in pixels."""
    left: int | None = Field(default=None, ge=0, le=32_768)
    """Where the part begins, in pixels from the left. Left empty: where the anchor says."""
    top: int | None = Field(default=None, ge=0, le=32_768)
    """Where the part begins, in pixels from above. Left empty: where the anchor says."""
    anchor: Anchor = "center"
    """Where the part lies when left and top are empty."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for a part that is not within the picture."""
        free = self.image.width - self.width, self.image.height - self.height
        left, top = diffusion.anchored(*free, self.anchor)
        box = diffusion.PixelBox(
            left if self.left is None else self.left, top if self.top is None else self.top, self.width, self.height
        )
        return Image(diffusion.cut_box(self.image.pixels, box))
