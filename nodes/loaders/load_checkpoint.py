"""Open a whole model file."""

from dataclasses import replace
from typing import Annotated, Literal, TypeVar

from graphflow import (
    Checkpoint,
    Denoiser,
    Field,
    ModelError,
    ModelFile,
    ModelRecipe,
    Node,
    NodeContext,
    NodeOutputs,
    TextEncoder,
    Vae,
    node,
)

R = TypeVar("R", bound=ModelRecipe)


@node("load_checkpoint", cache="disk", lane="io")
class LoadCheckpoint(Node):
    """Open a Stable Diffusion model and hand on its three parts.

    Reads only the file's description; the weights are loaded by the nodes that use them.
    """

    file: Annotated[str, ModelFile("checkpoints")] = Field(default="tiny-sd", min_length=1)
    """Name of a bundled model, of a file in the models folder, a path, or a Hugging Face id such as owner/name."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
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
            denoiser=self._part(checkpoint, "unet", Denoiser),
            text_encoder=self._text_encoder(checkpoint),
            vae=self._part(checkpoint, "vae", Vae),
        )

    def _text_encoder(self, checkpoint: Checkpoint) -> TextEncoder:
        """What reads prompts: where the family reads with two encoders, both as one; the second alone for XL's refiner."""
        if "text_encoder_2" not in checkpoint.parts:
            return self._part(checkpoint, "text_encoder", TextEncoder)
        second = self._part(checkpoint, "text_encoder_2", TextEncoder)
        if "text_encoder" not in checkpoint.parts:
            return second
        return replace(self._part(checkpoint, "text_encoder", TextEncoder), second=second)

    def _part(self, checkpoint: Checkpoint, name: str, kind: type[R]) -> R:
        recipe = checkpoint.parts.get(name)
        if not isinstance(recipe, kind):
            held = ", ".join(sorted(checkpoint.parts)) or "nothing that graphflow knows"
            raise ModelError(
                f'"{self.file}" is not a whole checkpoint: it holds {held}, but no {name}; choose a file with unet, text_encoder and vae'
            )
        return replace(recipe, precision=self.precision)
