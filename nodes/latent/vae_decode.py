"""Latents into pictures."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Latent, Node, NodeContext, Vae, node


@node("vae_decode")
class VaeDecode(Node):
    """Turn a latent into a picture."""

    latent: Latent
    """What a sampler made."""
    vae: Vae
    """The autoencoder of the model that made it."""
    tile: int = Field(default=0, ge=0, le=8192)
    """Side of the parts that are decoded at once, in pixels of the picture, for large pictures: 512 needs as much memory as a picture of that
    size. 0 decodes the picture as a whole, which is exact; parts differ from it a little."""
    overlap: int = Field(default=64, ge=0, le=1024)
    """With tiles: how far neighbouring parts reach into one another, so that no seam is seen. At most half a tile."""

    def run(self, ctx: NodeContext) -> Image:
        """As many pictures as the latent has. Raises ValueError for an autoencoder of another family, and for tiles that cannot be."""
        diffusion.check_latent_space(self.latent, self.vae)
        with ctx.models.use(self.vae) as vae:
            pixels = diffusion.decode_latents(
                vae,
                self.latent.samples,
                scaling_factor=self.vae.scaling_factor,
                shift_factor=self.vae.shift_factor,
                tiling=self._tiling(ctx),
            )
        return Image(pixels)

    def _tiling(self, ctx: NodeContext) -> "diffusion.Tiling | None":
        if self.tile == 0:
            return None
        return diffusion.Tiling(self.tile, self.overlap, track=lambda tiles: ctx.progress(tiles, "decoding"))
