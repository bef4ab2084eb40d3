"""A prompt for a part of the picture."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, Slider, node


@node("set_area")
class SetArea(Node):
    """Let a prompt apply inside a rectangle only, given in shares of the picture from 0 to 1.

    Combine it with prompts for the other areas, or with one for the whole picture: every spot needs a prompt.
    """

    conditioning: Conditioning
    """The prompt."""
    left: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.0, ge=0, lt=1)
    """Where the rectangle begins, from the left."""
    top: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.0, ge=0, lt=1)
    """Where it begins, from the top."""
    right: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=1.0, gt=0, le=1)
    """Where it ends, from the left."""
    bottom: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=1.0, gt=0, le=1)
    """Where it ends, from the top."""
    strength: Annotated[float, Slider(0, 5, step=0.05)] = Field(default=1.0, ge=0, le=100)
    """Its weight where it overlaps with other prompts."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """Raises ValueError for a rectangle that ends before it begins."""
        placed = diffusion.in_area(self.conditioning, (self.left, self.top, self.right, self.bottom))
        return diffusion.with_strength(placed, self.strength)
