"""No prompt at all."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Node, NodeContext, node


@node("zero_conditioning")
class ZeroConditioning(Node):
    """Put zeros in place of a prompt. Stable Diffusion XL takes this for the absence of a negative prompt, better than an empty one."""

    conditioning: Conditioning
    """A prompt for the same model; its text does not matter."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """Zeros of the same sizes."""
        return diffusion.zeroed(self.conditioning)
