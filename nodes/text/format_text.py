"""Values written into a text."""

from typing import Any

from graphflow import Field, Node, NodeContext, NodeOutputs, node


@node("format_text", lane="io")
class FormatText(Node):
    """Write a value into a text, for a label or a prompt with a gap. Map it over a list of values for a list of labels."""

    template: str = Field(default="{value}", max_length=10_000)
    """A text in which {value} stands for the value."""
    value: Any = ""
    """A text or a number."""

    class Outputs(NodeOutputs):
        """The text."""

        text: str
        """The template with the value in it."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a value that has no written form."""
        return self.Outputs(text=self.template.replace("{value}", _written(self.value)))


def _written(value: Any) -> str:  # anything may be linked here
    """A value as people write it: 7.0 -> 7, 0.1 + 0.2 -> 0.3."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, int | str):
        return str(value)
    raise ValueError(f"a {type(value).__name__} cannot be written into a text; link a text or a number")
