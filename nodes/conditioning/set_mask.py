"""A prompt for a part of the picture, of any shape."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Mask, Node, NodeContext, Slider, node


@node("set_mask")
class SetMask(Node):
    """Let a prompt apply where a mask is white only, and weaker where it is gray.

    Combine it with prompts for the rest, or with one for the whole picture: every spot needs a prompt.
    """

    conditioning: Conditioning
    """The prompt."""
    mask: Mask
    """Where it applies; any size, it is fitted to the picture."""
    strength: Annotated[float, Slider(0, 5, step=0.05)] = Field(default=1.0, ge=0, le=100)
    """Its weight where it overlaps with other prompts."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """The prompt with the mask."""
        return diffusion.with_strength(diffusion.in_mask(self.conditioning, self.mask), self.strength)
