"""Latents side by side."""

import graphflow.diffusion as diffusion
from graphflow import Latent, Node, NodeContext, node


@node("batch_latents")
class BatchLatents(Node):
    """Join latents of one size into a batch, to be sampled together."""

    latents: list[Latent]
    """The latents, in order. A batch counts as several."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for none, and for sizes or families that differ."""
        return diffusion.batch_latents(self.latents)
