"""Transparency for a picture."""

import graphflow.diffusion as diffusion
from graphflow import Image, Mask, Node, NodeContext, node


@node("join_alpha", lane="io")
class JoinAlpha(Node):
    """Make pictures transparent where a mask says, to save what was cut out as PNG or WebP."""

    image: Image
    """One picture or several. Transparency that they have already is replaced."""
    mask: Mask
    """1 for opaque, 0 for transparent, in the size of the pictures. For load_image's mask, use invert_mask first."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for a mask of another size, or a batch that does not go together."""
        return Image(diffusion.with_opacity(self.image.pixels, self.mask.values))
