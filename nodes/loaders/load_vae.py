"""Open the part of a model that turns latents into pictures."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, ModelFile, Node, NodeContext, Vae, node

from ._parts import Precision, part_of


@node("load_vae", cache="disk", lane="io")
class LoadVae(Node):
    """Open an autoencoder alone: one that comes in its own file, or the one inside a whole checkpoint."""

    file: Annotated[str, ModelFile("vaes")] = Field(default="tiny-sd", min_length=1)
    """Name of a file or diffusers folder in models/vaes or models/checkpoints, a path, or a Hugging Face id such as owner/name."""
    family: Literal["auto", "sd15", "sd2", "sdxl"] = "auto"
    """Whose pictures it was made for. auto goes by its configuration; a file that comes without one counts as Stable Diffusion 1's."""
    precision: Precision = "auto"
    """Number format of the weights. auto is right for the device. Stable Diffusion XL's own VAE needs more range than fp16 has."""

    def run(self, ctx: NodeContext) -> Vae:
        """Describe the file; raises ModelError when it holds no autoencoder."""
        vae = part_of(ctx.models.inspect(self.file, "vaes"), "vae", Vae, precision=self.precision)
        return vae if self.family == "auto" else diffusion.vae_of_family(vae, self.family)
