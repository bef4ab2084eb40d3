"""Texts one after another."""

from graphflow import Field, Node, NodeContext, NodeOutputs, node


@node("join_text", lane="io")
class JoinText(Node):
    """Put texts one after another, such as a subject and a style."""

    texts: list[str] = Field(default=[], max_length=1000)
    """The texts, in order. Empty ones are left out."""
    separator: str = Field(default=", ", max_length=100)
    """What stands between two texts."""

    class Outputs(NodeOutputs):
        """The text."""

        text: str
        """All texts as one."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Join what is not blank."""
        return self.Outputs(text=self.separator.join(text for text in self.texts if text.strip()))
