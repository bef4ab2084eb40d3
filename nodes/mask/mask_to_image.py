"""Masks to look at."""

from graphflow import Image, Mask, Node, NodeContext, node


@node("mask_to_image", lane="io")
class MaskToImage(Node):
    """Show a mask as a picture in black and white."""

    mask: Mask
    """The mask."""

    def run(self, ctx: NodeContext) -> Image:
        """One picture for each mask."""
        return Image(self.mask.values.unsqueeze(1).repeat(1, 3, 1, 1))
