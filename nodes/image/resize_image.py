"""Another size."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, node
from graphflow.diffusion import Anchor, Filter, Fit


@node("resize_image", lane="io")
class ResizeImage(Node):
    """Make pictures larger or smaller. Say the new size in one way: width and height, or one of the two, a longest or shortest side, or a factor.

    For more detail in what gets larger, use upscale_image instead.
    """

    image: Image
    """One picture or several."""
    width: int | None = Field(default=None, ge=1, le=32_768)
    """New width in pixels. Given without a height, the height follows the proportions."""
    height: int | None = Field(default=None, ge=1, le=32_768)
    """New height in pixels. Given without a width, the width follows the proportions."""
    longest: int | None = Field(default=None, ge=1, le=32_768)
    """New length of the longer side, which suits pictures upright and across."""
    shortest: int | None = Field(default=None, ge=1, le=32_768)
    """New length of the shorter side."""
    factor: float | None = Field(default=None, gt=0, le=64)
    """Times as wide and high: 2 doubles both sides, 0.5 halves them."""
    multiple_of: int = Field(default=1, ge=1, le=1024)
    """Round both sides to the nearest multiple: 8 for what a model is to change."""
    fit: Fit = "crop"
    """Where the proportions change: crop cuts what is left over, pad fills up with a colour, inside stays smaller, stretch distorts."""
    anchor: Anchor = "center"
    """Which part stays when cropping; where the picture goes when padding."""
    fill: str = Field(default="black", max_length=50)
    """Colour for padding: a name, a code such as #ff8800, or transparent."""
    filter: Filter = "lanczos"
    """lanczos is the sharpest, bicubic and bilinear are softer, area averages, nearest keeps hard pixels (for pixel art)."""
    antialias: bool = True
    """For bilinear and bicubic: look at all pixels when a picture gets smaller. Off, fine patterns flicker."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for a size that is given in no way, or in several."""
        sides = diffusion.Sides(self.width, self.height, self.longest, self.shortest, self.factor)
        pixels = diffusion.resized_to(
            self.image.pixels,
            sides,
            fit=self.fit,
            filter=self.filter,
            antialias=self.antialias,
            multiple_of=self.multiple_of,
            anchor=self.anchor,
            fill=self.fill,
        )
        return Image(pixels)
