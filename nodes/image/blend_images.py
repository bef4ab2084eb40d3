"""One picture over another, mixed by their colours."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, Slider, node
from graphflow.diffusion import BlendMode


@node("blend_images", lane="io")
class BlendImages(Node):
    """Mix a picture with one above it, as layers are mixed. Both have one size; to lay a smaller one somewhere, use composite_image."""

    below: Image
    """The picture below."""
    above: Image
    """The picture above. Where it is transparent, the one below stays."""
    mode: BlendMode = "normal"
    """multiply darkens, screen lightens, overlay and soft light raise contrast, difference shows what differs."""
    amount: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, ge=0, le=1)
    """How much of the mixture shows: 0 leaves the picture below, 1 mixes fully."""
    mask: Mask | None = None
    """Where to mix, in the size of the pictures. Without a mask, everywhere."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for pictures or masks of different sizes, or batches that do not go together."""
        amount = self.amount if self.mask is None else self.mask.values.unsqueeze(1) * self.amount
        return Image(diffusion.blended(self.below.pixels, self.above.pixels, mode=self.mode, amount=amount))
