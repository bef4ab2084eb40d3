"""Turned latents."""

import graphflow.diffusion as diffusion
from graphflow import Latent, Node, NodeContext, node
from graphflow.diffusion import QuarterTurns


@node("rotate_latent")
class RotateLatent(Node):
    """Turn a latent clockwise. Sample it again at a low strength: decoded as it is, small details may look odd."""

    latent: Latent
    """What to turn. Its noise mask is turned along."""
    degrees: QuarterTurns = "90"
    """How far. At 90 and 270, width and height change places."""

    def run(self, ctx: NodeContext) -> Latent:
        """The turned latent."""
        return diffusion.rotate_latent(self.latent, self.degrees)
