"""Transparency taken off a picture."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, NodeOutputs, node


@node("split_alpha", lane="io")
class SplitAlpha(Node):
    """Lay transparent pictures on a colour, and tell where they were opaque."""

    image: Image
    """One picture or several; one without transparency stays as it is."""
    background: str = Field(default="white", max_length=50)
    """The colour to lay them on: a name, or a code such as #ff8800."""

    class Outputs(NodeOutputs):
        """The picture and its opacity."""

        image: Image
        """The pictures without transparency."""
        mask: Mask
        """1 where they were opaque, 0 where the background shows."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for what is no colour."""
        pixels = diffusion.with_alpha(self.image.pixels)
        flat = diffusion.flattened(pixels, diffusion.colour_values(self.background))
        return self.Outputs(image=Image(flat), mask=Mask(pixels[:, 3].contiguous()))
