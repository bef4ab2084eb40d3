"""Numbers in a row."""

from graphflow import MAX_SEED, Field, Node, NodeContext, NodeOutputs, node

MAX_COUNT = 100_000
"""Most numbers in a row."""


@node("range", lane="io")
class Range(Node):
    """Whole numbers in a row: seeds for several pictures, or numbers of steps to compare."""

    start: int = Field(default=0, ge=-MAX_SEED, le=MAX_SEED)
    """The first number."""
    count: int = Field(default=4, ge=0, le=MAX_COUNT)
    """How many."""
    step: int = Field(default=1, ge=-1_000_000, le=1_000_000)
    """From one to the next."""

    class Outputs(NodeOutputs):
        """The list."""

        values: list[int]
        """start, start + step, and so on."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Count."""
        return self.Outputs(values=[self.start + at * self.step for at in range(self.count)])


@node("spread", lane="io")
class Spread(Node):
    """Numbers spread evenly from a first to a last one, such as guidances or strengths to compare."""

    first: float = 0.0
    """The first number."""
    last: float = 1.0
    """The last number."""
    count: int = Field(default=5, ge=1, le=MAX_COUNT)
    """How many; 1 gives the first number alone."""

    class Outputs(NodeOutputs):
        """The list."""

        values: list[float]
        """From first to last, both included."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Spread."""
        gaps = max(self.count - 1, 1)
        values = [(self.first * (gaps - at) + self.last * at) / gaps for at in range(self.count)]
        # Twelve digits, so that tenths stay tenths: 0.3, not 0.30000000000000004.
        return self.Outputs(values=[float(f"{value:.12g}") for value in values])
