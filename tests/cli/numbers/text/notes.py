"""Nodes on text."""

from graphflow import File, LongText, Node, NodeContext, node


@node("words")
class Words(Node):
    """Some text."""

    text: LongText = ""

    def run(self, ctx: NodeContext) -> str:
        return self.text


@node("spell")
class Spell(Node):
    """A number as text."""

    number: float = 0.0

    def run(self, ctx: NodeContext) -> str:
        return f"the number is {self.number:g}"


@node("save_note", sink=True, lane="io", cache="disk")
class SaveNote(Node):
    """Save text as a file."""

    text: LongText
    """What is written."""
    prefix: str = "note"

    def run(self, ctx: NodeContext) -> File:
        return ctx.artifacts.save(self.text.encode(), suffix="txt", media_type="text/plain", prefix=self.prefix)
