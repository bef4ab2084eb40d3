"""Open a whole model file."""

from typing import Annotated

from graphflow import Denoiser, Field, ModelFile, Node, NodeContext, NodeOutputs, TextEncoder, Vae, node

from ._parts import Precision, part_of, text_encoder_of


@node("load_checkpoint", cache="disk", lane="io")
class LoadCheckpoint(Node):
    """Open a Stable Diffusion model and hand on its three parts.

    Reads only the file's description; the weights are loaded by the nodes that use them.
    """

    file: Annotated[str, ModelFile("checkpoints")] = Field(default="tiny-sd", min_length=1)
    """Name of a bundled model, of a file in the models folder, a path, or a Hugging Face id such as owner/name."""
    precision: Precision = "auto"
    """Number format of the weights. `auto` is right for the device; fp32 is exact and slow."""

    class Outputs(NodeOutputs):
        """The parts of the model."""

        denoiser: Denoiser
        """Removes noise step by step; for a sampler."""
        text_encoder: TextEncoder
        """Reads prompts."""
        vae: Vae
        """Turns latents into pictures, and pictures into latents."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Describe the file; raises ModelError when it lacks a part."""
        checkpoint = ctx.models.inspect(self.file)
        return self.Outputs(
            denoiser=part_of(checkpoint, "unet", Denoiser, precision=self.precision),
            text_encoder=text_encoder_of(checkpoint, precision=self.precision),
            vae=part_of(checkpoint, "vae", Vae, precision=self.precision),
        )
