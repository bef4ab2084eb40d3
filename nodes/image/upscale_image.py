"""Larger pictures with more detail."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Upscaler, node


@node("upscale_image")
class UpscaleImage(Node):
    """Make pictures larger with an upscaler, which draws fitting detail.

    The factor is the upscaler's; for another size, use resize_image afterwards.
    """

    image: Image
    """One picture or several."""
    upscaler: Upscaler
    """What load_upscaler gives."""
    tile: int = Field(default=512, ge=0, le=8192)
    """Side of the parts that go through the network at once, in pixels of the picture. Smaller needs less memory; 0 takes it in one piece."""
    overlap: int = Field(default=32, ge=0, le=512)
    """How far neighbouring parts reach into one another, so that no seam is seen. At most half a tile."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError for an overlap of more than half a tile."""
        with ctx.models.use(self.upscaler) as network:
            pixels = diffusion.upscaled(
                network,
                self.image.pixels,
                scale=self.upscaler.scale,
                tile=self.tile,
                overlap=self.overlap,
                track=lambda tiles: ctx.progress(tiles, "upscaling"),
            )
        return Image(pixels)
