"""Where a latent may change."""

from dataclasses import replace

from graphflow import Latent, Mask, Node, NodeContext, node


@node("set_noise_mask")
class SetNoiseMask(Node):
    """Let samplers change a latent inside a mask only. This is how any model inpaints."""

    latent: Latent
    """What is going to be sampled: an encoded picture."""
    mask: Mask | None = None
    """White where it may change, black where it must stay, gray between: 0.3 changes as far as a strength of 0.3. Any size.
    Without a mask, it may change everywhere."""

    def run(self, ctx: NodeContext) -> Latent:
        """The same latent with this mask instead of any other."""
        return replace(self.latent, noise_mask=self.mask)
