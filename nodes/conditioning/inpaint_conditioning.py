"""What models made for inpainting need to see."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Image, Latent, Mask, Node, NodeContext, NodeOutputs, Vae, node


@node("inpaint_conditioning")
class InpaintConditioning(Node):
    """Show a picture and its mask to a model that was made for inpainting. Other models need no such thing: set a noise mask for them."""

    vae: Vae
    """The autoencoder of the inpainting model."""
    image: Image
    """The picture. Both sides must be multiples of 8 for most models. Transparency is left out."""
    mask: Mask
    """White where the picture is to be drawn anew, in the picture's size. These models know no gray: from the middle up it is white."""
    positive: Conditioning
    """What the new part should show."""
    negative: Conditioning | None = None
    """What it should not show."""
    noise_mask: bool = True
    """Keep the rest as it is while sampling. Off, the model draws the rest again from what it sees, which may blend better."""

    class Outputs(NodeOutputs):
        """What the sampler takes."""

        positive: Conditioning
        """What the new part should show, with the picture and the mask."""
        negative: Conditioning | None
        """What it should not show, likewise; nothing where none was given."""
        latent: Latent
        """The whole picture, encoded."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a mask of another size, and for a picture that does not fit, naming the nearest size."""
        pixels = self.image.pixels[:, :3]
        masked = diffusion.without_masked(pixels, self.mask.values)
        with ctx.models.use(self.vae) as vae:
            samples, seen = (
                diffusion.encode_pictures(
                    vae, shown, scaling_factor=self.vae.scaling_factor, shift_factor=self.vae.shift_factor
                )
                for shown in (pixels, masked)
            )
        channels = diffusion.inpaint_channels(self.mask.values, seen)
        negative = None if self.negative is None else diffusion.with_channels(self.negative, channels)
        latent = Latent(
            samples,
            reduction=self.vae.reduction,
            noise_mask=self.mask if self.noise_mask else None,
            space=diffusion.space_of(self.vae),
        )
        return self.Outputs(positive=diffusion.with_channels(self.positive, channels), negative=negative, latent=latent)
