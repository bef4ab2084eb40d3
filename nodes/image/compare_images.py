"""How far two pictures differ."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, NodeOutputs, Slider, node


@node("compare_images", lane="io")
class CompareImages(Node):
    """Show where two pictures differ, and tell how much: for two settings, or before and after."""

    first: Image
    """A picture or several."""
    second: Image
    """What to compare with, in the same size: one for all, or one for each."""
    amplify: Annotated[float, Slider(1, 50)] = Field(default=1.0, gt=0, le=1000)
    """Factor on the picture of differences, to see small ones. The numbers stay as they are."""

    class Outputs(NodeOutputs):
        """The differences."""

        image: Image
        """Black where both are equal, brighter the more they differ."""
        largest: float
        """The largest difference of a colour value, 0 to 1."""
        mean: float
        """The mean difference, 0 to 1."""
        psnr: float
        """Peak signal to noise ratio in decibels: above 40 nobody sees a difference; 100 for equal pictures."""
        ssim: float
        """Structural similarity: 1 for equal pictures, 0 for unrelated ones."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for pictures of different sizes, or batches that do not go together."""
        found = diffusion.difference(self.first.pixels, self.second.pixels)
        return self.Outputs(
            image=Image((found.absolute * self.amplify).clamp(0, 1)),
            largest=found.largest,
            mean=found.mean,
            psnr=found.psnr,
            ssim=found.ssim,
        )
