"""A part of a latent."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, node


@node("crop_latent")
class CropLatent(Node):
    """Cut a part out of a latent. All numbers are pixels of the picture, and multiples of 8 for most models."""

    latent: Latent
    """What to cut from. Its noise mask is cut along."""
    left: int = Field(default=0, ge=0, le=16384)
    """Where the part begins, from the left."""
    top: int = Field(default=0, ge=0, le=16384)
    """Where the part begins, from above."""
    width: int = Field(default=512, ge=8, le=16384)
    """Width of the part."""
    height: int = Field(default=512, ge=8, le=16384)
    """Height of the part."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError, naming what fits, for numbers that don't, or a part that is not within the latent."""
        return diffusion.crop_latent(self.latent, left=self.left, top=self.top, width=self.width, height=self.height)
