"""Text to link to several places."""

from graphflow import LongText, Node, NodeContext, NodeOutputs, node


@node("text", lane="io")
class Text(Node):
    """A text that several nodes share."""

    text: LongText = ""
    """Any text."""

    class Outputs(NodeOutputs):
        """The text."""

        text: str
        """As it was written."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand it on."""
        return self.Outputs(text=self.text)
