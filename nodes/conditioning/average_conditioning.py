"""A prompt between two."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, Slider, node


@node("average_conditioning")
class AverageConditioning(Node):
    """Go from one prompt towards another, number by number: between a cat and a dog there is something of both.

    Area, time, strength and sizes are those of the first prompt.
    """

    first: Conditioning
    """The prompt to start from."""
    second: Conditioning
    """The prompt to go towards; a single one."""
    share: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.5, ge=0, le=1)
    """How far to go: 0 is the first prompt, 1 the second."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """Raises ValueError for prompts that do not fit together."""
        return diffusion.averaged(self.first, self.second, self.share)
