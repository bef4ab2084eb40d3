"""A prompt for a part of the way from noise to picture."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, Slider, node


@node("set_step_range")
class SetStepRange(Node):
    """Let a prompt apply during a part of the sampling only: early for what is where, late for details.

    Combine it with prompts for the rest of the way: every step needs a prompt.
    """

    conditioning: Conditioning
    """The prompt. One that has a range already keeps what both have in common."""
    start: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.0, ge=0, lt=1)
    """Where it begins: 0 is all noise, 1 the finished picture; a share of the noise schedule, whatever the number of steps."""
    end: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=1.0, gt=0, le=1)
    """Where it stops."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """Raises ValueError for a range in which no prompt applies."""
        return diffusion.during(self.conditioning, self.start, self.end)
