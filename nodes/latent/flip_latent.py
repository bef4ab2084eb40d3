"""Mirrored latents."""

import graphflow.diffusion as diffusion
from graphflow import Latent, Node, NodeContext, node
from graphflow.diffusion import MirrorAxis


@node("flip_latent")
class FlipLatent(Node):
    """Mirror a latent. Sample it again at a low strength: decoded as it is, small details may look odd."""

    latent: Latent
    """What to mirror. Its noise mask is mirrored along."""
    axis: MirrorAxis = "horizontal"
    """horizontal swaps left and right, vertical top and bottom."""

    def run(self, ctx: NodeContext) -> Latent:
        """A latent of the same size."""
        return diffusion.flip_latent(self.latent, self.axis)
