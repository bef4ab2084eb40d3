"""One of many latents."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, node


@node("pick_latent")
class PickLatent(Node):
    """Take one or more neighbours out of a batch of latents."""

    latent: Latent
    """The batch."""
    number: int = Field(default=0, ge=-256, le=255)
    """Which one to begin with: 0 is the first one, -1 the last one."""
    count: int = Field(default=1, ge=1, le=256)
    """How many to take."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for pictures that the batch does not have."""
        return diffusion.pick_latents(self.latent, first=self.number, count=self.count)
