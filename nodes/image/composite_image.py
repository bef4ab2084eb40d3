"""One picture over another."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, node


@node("composite_image", lane="io")
class CompositeImage(Node):
    """Lay a picture over another one, as far as a mask says. Where the mask is black, the background stays exactly as it was."""

    image: Image
    """The picture on top. Where it is transparent, the background shows."""
    background: Image
    """The picture below, which gives the result its size."""
    mask: Mask | None = None
    """Where to show the picture on top, in its size. Without a mask, everywhere."""
    feather: int = Field(default=0, ge=0, le=512)
    """Pixels around the mask over which the picture fades into the background."""
    left: int = Field(default=0, ge=-16384, le=16384)
    """Where the left edge of the picture on top comes to lie, in pixels of the background."""
    top: int = Field(default=0, ge=-16384, le=16384)
    """Where its upper edge comes to lie."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for a mask of another size, and for batches that do not go together."""
        mask = None if self.mask is None else diffusion.feather_mask(self.mask.values, self.feather)
        pixels = diffusion.composite(self.image.pixels, self.background.pixels, mask=mask, left=self.left, top=self.top)
        return Image(pixels)
