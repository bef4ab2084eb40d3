"""One latent over another."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Mask, Node, NodeContext, node


@node("composite_latents")
class CompositeLatents(Node):
    """Lay a latent over another one. Sampled on from there, the two grow into one picture."""

    latent: Latent
    """The latent on top."""
    background: Latent
    """The latent below, which gives the result its size and its noise mask."""
    mask: Mask | None = None
    """Where to take the latent on top, in any size. Without a mask, everywhere."""
    feather: int = Field(default=0, ge=0, le=512)
    """Width of a soft edge around the mask, in pixels of the mask. Latents are coarse: less than 16 pixels of the picture hardly show."""
    left: int = Field(default=0, ge=-16384, le=16384)
    """Where the left edge of the latent on top comes to lie, in pixels of the picture, a multiple of 8 for most models."""
    top: int = Field(default=0, ge=-16384, le=16384)
    """Where its upper edge comes to lie."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for places that do not fit, and for latents of different families."""
        mask = None if self.mask is None else diffusion.feather_mask(self.mask.values, self.feather)
        return diffusion.composite_latents(self.latent, self.background, mask=mask, left=self.left, top=self.top)
