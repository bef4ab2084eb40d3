"""Masks of simple shapes."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, Slider, node

_PLAIN_SIDE = 512
_Share = Annotated[float, Field(ge=0, le=1), Slider(0, 1, step=0.01)]


@node("mask_shape", lane="io")
class MaskShape(Node):
    """A rectangle or an ellipse as a mask: white inside, black outside."""

    image: Image | None = None
    """A picture whose size the mask takes."""
    width: int = Field(default=_PLAIN_SIDE, ge=1, le=16384)
    """Width in pixels, where no picture is given."""
    height: int = Field(default=_PLAIN_SIDE, ge=1, le=16384)
    """Height in pixels, where no picture is given."""
    shape: Literal["rectangle", "ellipse"] = "rectangle"
    """The ellipse is the largest one that fits between the four sides."""
    left: _Share = 0.25
    """Left side, as a share of the width."""
    top: _Share = 0.25
    """Upper side, as a share of the height."""
    right: _Share = 0.75
    """Right side, as a share of the width, beyond the left one."""
    bottom: _Share = 0.75
    """Lower side, as a share of the height, below the upper one."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError when the sides are out of order."""
        width, height = (self.width, self.height) if self.image is None else (self.image.width, self.image.height)
        draw = diffusion.rectangle_mask if self.shape == "rectangle" else diffusion.ellipse_mask
        return Mask(draw((self.left, self.top, self.right, self.bottom), height=height, width=width))
