"""One latent, many times."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, node


@node("repeat_latent")
class RepeatLatent(Node):
    """Repeat a latent as a batch, to sample several versions of it together."""

    latent: Latent
    """What to repeat."""
    times: int = Field(default=2, ge=1, le=256)
    """How many times over, the first one included."""

    def run(self, ctx: NodeContext) -> Latent:
        """A batch."""
        return diffusion.repeat_latent(self.latent, self.times)
