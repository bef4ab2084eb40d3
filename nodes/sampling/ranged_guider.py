"""Guidance in a part of the schedule."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Guider, Node, NodeContext, Slider, node


@node("ranged_guider")
class RangedGuider(Node):
    """Guide in a part of the schedule only, such as the middle.

    At the very start guidance makes pictures alike, at the end it is wasted time: a range is more varied and faster.
    """

    guider: Guider
    """What guides in the range."""
    outside: Guider | None = None
    """What guides before and after it, with the same model. Left empty: the positive prompt of `guider` alone, in half the time."""
    start: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.1, ge=0, lt=1)
    """Where the range begins: 0 is all noise, 1 none."""
    end: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.8, gt=0, le=1)
    """Where it ends; 1 is the very end."""

    def run(self, ctx: NodeContext) -> Guider:
        """Raises ValueError if the end is not above the start, or if two models would have to guide."""
        return diffusion.ranged(self.guider, self.outside, start=self.start, end=self.end)
