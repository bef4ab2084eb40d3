"""Colours of another picture."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("match_color", lane="io")
class MatchColor(Node):
    """Give pictures the colours of another one: after upscaling or inpainting in parts, or to make a series look alike."""

    image: Image
    """One picture or several."""
    reference: Image
    """The picture with the colours wanted, in any size: one for all, or one for each."""
    method: Literal["reinhard", "histogram"] = "reinhard"
    """reinhard moves mean and spread of the colours, gently; histogram takes over how often each value occurs, exactly."""
    amount: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, ge=0, le=1)
    """How far to go: 0 changes nothing, 1 all the way."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError unless there is one reference, or one for each picture."""
        pixels, reference = self.image.pixels, self.reference.pixels
        if len(reference) not in (1, len(pixels)):
            raise ValueError(
                f"{len(reference)} references do not go with {len(pixels)} pictures; give one, or one for each"
            )
        match = diffusion.matched_statistics if self.method == "reinhard" else diffusion.matched_histograms
        return Image(pixels.lerp(match(pixels, reference), self.amount))
