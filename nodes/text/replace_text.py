"""Words exchanged in a text."""

from graphflow import LongText, Node, NodeContext, NodeOutputs, node


@node("replace_text", lane="io")
class ReplaceText(Node):
    """Put other words in place of some words of a text, wherever they stand."""

    text: LongText = ""
    """The text."""
    find: str = ""
    """What to look for, to the letter. Left empty: nothing is replaced."""
    replacement: str = ""
    """What to put there; left empty, it is taken out."""

    class Outputs(NodeOutputs):
        """The text."""

        text: str
        """The text with the other words in it."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Replace every place."""
        return self.Outputs(text=self.text.replace(self.find, self.replacement) if self.find else self.text)
