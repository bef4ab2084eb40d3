"""Several prompts at once."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, node


@node("combine_conditioning")
class CombineConditioning(Node):
    """Follow several prompts at once, each for itself: prompts for different areas or times, or a mixture of both.

    Where prompts overlap, the picture follows the mean of them, by their strengths.
    """

    conditionings: list[Conditioning] = Field(min_length=1, max_length=1000)
    """The prompts."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """All of them."""
        return diffusion.combined(self.conditionings)
