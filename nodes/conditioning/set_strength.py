"""The weight of a prompt among others."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, Slider, node


@node("set_strength")
class SetStrength(Node):
    """Weigh a prompt against those that it is combined with. Alone it makes no difference; for a single prompt use guidance."""

    conditioning: Conditioning
    """The prompt."""
    strength: Annotated[float, Slider(0, 5, step=0.05)] = Field(default=1.0, ge=0, le=100)
    """Its weight where it overlaps with other prompts; multiplies what it has already."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """The prompt with the weight."""
        return diffusion.with_strength(self.conditioning, self.strength)
