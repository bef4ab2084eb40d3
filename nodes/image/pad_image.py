"""Room around a picture."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, NodeOutputs, Seed, node


@node("pad_image", lane="io")
class PadImage(Node):
    """Add room around a picture, and a mask of it, for a model to draw on (outpainting)."""

    image: Image
    """The picture."""
    left: int = Field(default=0, ge=0, le=16384)
    """Pixels to add on the left."""
    top: int = Field(default=0, ge=0, le=16384)
    """Pixels to add above."""
    right: int = Field(default=0, ge=0, le=16384)
    """Pixels to add on the right."""
    bottom: int = Field(default=0, ge=0, le=16384)
    """Pixels to add below."""
    fill: str = Field(default="edge", max_length=50)
    """What to fill the room with: edge continues the outermost pixels, mirror the whole picture, mean takes the mean colour of the rim,
    noise all colours; or a colour: a name, a code such as #ff8800, or transparent."""
    feather: int = Field(default=0, ge=0, le=512)
    """Pixels of the old picture, along the new room, over which the mask fades, so that no seam shows."""
    seed: Seed = 0
    """Of the noise, where that fills the room."""

    class Outputs(NodeOutputs):
        """The larger picture, and where it is new."""

        image: Image
        """The picture with room around it."""
        mask: Mask
        """White in the new room, black on the old picture."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a size out of reach, and for a fill that is none."""
        border = diffusion.Border(self.left, self.top, self.right, self.bottom)
        pixels = diffusion.pad_picture(
            self.image.pixels, border, self.fill.strip().lower(), generator=ctx.generator(self.seed)
        )
        mask = diffusion.border_mask(border, height=self.image.height, width=self.image.width, feather=self.feather)
        return self.Outputs(image=Image(pixels), mask=Mask(mask))
