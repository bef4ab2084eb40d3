"""Texts with choices in them."""

import graphflow.diffusion as diffusion
from graphflow import LongText, Node, NodeContext, NodeOutputs, Seed, node


@node("choose_text", lane="io")
class ChooseText(Node):
    """Choose by a seed: {red|green|blue} becomes one of the three. Choices may be empty, and hold choices. Map it over seeds for many prompts."""

    text: LongText = ""
    """A text with choices, such as: a {red|blue} {circle|{small|big} star}."""
    seed: Seed = 0
    """Same seed, same choices."""

    class Outputs(NodeOutputs):
        """The text."""

        text: str
        """The text with one of each choice."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Braces without their other half are text."""
        return self.Outputs(text=diffusion.choose_text(self.text, self.seed))
