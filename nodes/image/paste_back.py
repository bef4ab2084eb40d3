"""The other half of crop_to_mask."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, node


@node("paste_back", lane="io")
class PasteBack(Node):
    """Put a part that crop_to_mask cut out, and that has changed since, back into its picture."""

    image: Image
    """The part, in any size; it is fitted into its box."""
    background: Image
    """The whole picture that it was cut out of."""
    box: list[int] = Field(min_length=4, max_length=4)
    """Where: left, top, width and height, as crop_to_mask gives them."""
    mask: Mask | None = None
    """How much of the part to take, as crop_to_mask gives it. Without a mask, all of it."""
    feather: int = Field(default=0, ge=0, le=512)
    """Pixels around the mask over which the part fades into the picture."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for a box that is not within the picture."""
        pixels = diffusion.put_back(
            self.image.pixels,
            self.background.pixels,
            diffusion.PixelBox(*self.box),
            mask=None if self.mask is None else self.mask.values,
            feather=self.feather,
        )
        return Image(pixels)
