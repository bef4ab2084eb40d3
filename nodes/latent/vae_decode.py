"""Latents into pictures."""

import graphflow.diffusion as diffusion
from graphflow import Image, Latent, Node, NodeContext, Vae, node


@node("vae_decode")
class VaeDecode(Node):
    """Turn a latent into a picture."""

    latent: Latent
    """What a sampler made."""
    vae: Vae
    """The autoencoder of the model that made it."""

    def run(self, ctx: NodeContext) -> Image:
        """As many pictures as the latent has. Raises ValueError for an autoencoder of another family."""
        diffusion.check_latent_space(self.latent, self.vae)
        with ctx.models.use(self.vae) as vae:
            pixels = diffusion.decode_latents(
                vae,
                self.latent.samples,
                scaling_factor=self.vae.scaling_factor,
                shift_factor=self.vae.shift_factor,
            )
        return Image(pixels)
