"""Several texts, to run something once for each."""

from graphflow import Field, Node, NodeContext, NodeOutputs, node


@node("text_list", lane="io")
class TextList(Node):
    """Several texts. Map a node over them to run it once for each."""

    texts: list[str] = Field(default=[], max_length=10_000)
    """The texts, in order."""

    class Outputs(NodeOutputs):
        """The list."""

        texts: list[str]
        """The texts, in order."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Hand them on."""
        return self.Outputs(texts=self.texts)
