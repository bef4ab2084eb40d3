"""Another size, without decoding."""

import graphflow.diffusion as diffusion
from graphflow import Field, Latent, Node, NodeContext, node
from graphflow.diffusion import LatentFilter


@node("resize_latent")
class ResizeLatent(Node):
    """Make a latent larger or smaller, to sample it again at a strength of about 0.5.

    Say the new size as width and height, as one of the two, or as a factor. Resizing the decoded picture instead is slower and keeps edges better.
    """

    latent: Latent
    """What to resize. Its noise mask goes along."""
    width: int | None = Field(default=None, ge=8, le=16384)
    """New width of the picture in pixels. Given without a height, the height follows the proportions."""
    height: int | None = Field(default=None, ge=8, le=16384)
    """New height of the picture in pixels. Given without a width, the width follows the proportions."""
    factor: float | None = Field(default=None, gt=0, le=16)
    """Times as wide and high: 1.5 or 2 for more detail. Rounded to a size that fits."""
    filter: LatentFilter = "bicubic"
    """bicubic is the sharpest, bilinear and area are softer, nearest repeats values and keeps the noise level."""
    antialias: bool = True
    """For bicubic and bilinear: look at all values when the latent gets smaller."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for a size that does not fit, naming the nearest, or is given in no way or in several."""
        sides = diffusion.Sides(self.width, self.height, factor=self.factor)
        return diffusion.resize_latent(self.latent, sides, filter=self.filter, antialias=self.antialias)
