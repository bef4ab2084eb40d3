"""Pictures into latents."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Latent, Mask, Node, NodeContext, Seed, Vae, node


@node("vae_encode")
class VaeEncode(Node):
    """Turn a picture into a latent, for a sampler to change."""

    image: Image
    """Both sides must be multiples of 8 for most models. Transparency is left out."""
    vae: Vae
    """The autoencoder of the model that will change the latent."""
    noise_mask: Mask | None = None
    """Where a sampler may change the latent; without a mask, everywhere."""
    draw: bool = False
    """Draw the latent from what the encoder finds likely, as other tools do, instead of taking the likeliest one."""
    seed: Seed = 0
    """Of that draw."""
    tile: int = Field(default=0, ge=0, le=8192)
    """Side of the parts that are encoded at once, in pixels, for large pictures. 0 encodes the picture as a whole, which is exact."""
    overlap: int = Field(default=64, ge=0, le=1024)
    """With tiles: how far neighbouring parts reach into one another. At most half a tile."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError, naming the nearest size, for a picture that does not fit, and for tiles that cannot be."""
        with ctx.models.use(self.vae) as vae:
            shape = diffusion.latent_shape(vae, self.image.pixels)
            samples = diffusion.encode_pictures(
                vae,
                self.image.pixels,
                scaling_factor=self.vae.scaling_factor,
                shift_factor=self.vae.shift_factor,
                noise=diffusion.draw_noise(shape, ctx.generator(self.seed)) if self.draw else None,
                tiling=self._tiling(ctx),
            )
        return Latent(
            samples, reduction=self.vae.reduction, noise_mask=self.noise_mask, space=diffusion.space_of(self.vae)
        )

    def _tiling(self, ctx: NodeContext) -> "diffusion.Tiling | None":
        if self.tile == 0:
            return None
        return diffusion.Tiling(self.tile, self.overlap, track=lambda tiles: ctx.progress(tiles, "encoding"))
