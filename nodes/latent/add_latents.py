"""Sums and differences of latents."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, node


@node("add_latents")
class AddLatents(Node):
    """Add a latent to another one, or subtract it: value by value."""

    latent: Latent
    """What to add to. The result has its noise mask."""
    other: Latent
    """What to add, in the same size."""
    factor: float = Field(default=1.0, ge=-10, le=10)
    """How much of the other one: 1 adds, -1 subtracts."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for sizes or families that differ."""
        return diffusion.add_latents(self.latent, self.other, factor=self.factor)
