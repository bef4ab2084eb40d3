"""Something between two latents."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, Slider, node


@node("blend_latents")
class BlendLatents(Node):
    """Mix two latents of one size."""

    latent: Latent
    """One end of the mix. The result has its noise mask."""
    other: Latent
    """The other end."""
    share: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.5, ge=0, le=1)
    """How much of the other one: 0 is the first latent, 1 the other one."""
    way: Literal["linear", "spherical"] = "linear"
    """linear mixes pictures; spherical keeps the contrast, and is right for noise and latents full of it."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for sizes or families that differ, and for an empty latent on a spherical way."""
        return diffusion.blend_latents(self.latent, self.other, share=self.share, spherical=self.way == "spherical")
