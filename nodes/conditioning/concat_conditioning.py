"""Prompts in a row."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, node


@node("concat_conditioning")
class ConcatConditioning(Node):
    """Read prompts one after another, as one long prompt whose parts were encoded apart: their words don't colour each other.

    Area, time, strength and sizes are those of the first prompt.
    """

    conditionings: list[Conditioning] = Field(min_length=1, max_length=100)
    """The prompts, in order. All but the first must be single ones."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """Raises ValueError for prompts that do not fit together."""
        return diffusion.concatenated(self.conditionings)
