"""Open the part of a model that draws."""

from dataclasses import replace
from typing import Annotated, Literal

from graphflow import Denoiser, Field, ModelFile, Node, NodeContext, node

from ._parts import Precision, part_of


@node("load_denoiser", cache="disk", lane="io")
class LoadDenoiser(Node):
    """Open the denoiser alone: a UNet that comes in its own file, or the one inside a whole checkpoint.

    Use it with load_text_encoder and load_vae to put a model together from parts of one family.
    """

    file: Annotated[str, ModelFile("denoisers")] = Field(default="tiny-sd", min_length=1)
    """Name of a file or diffusers folder in models/denoisers or models/checkpoints, a path, or a Hugging Face id such as owner/name."""
    prediction: Literal["auto", "epsilon", "v_prediction", "sample"] = "auto"
    """What the model was trained to tell: noise, velocity or the picture. auto goes by its file, or else by its family."""
    precision: Precision = "auto"
    """Number format of the weights. auto is right for the device; fp32 is exact and slow."""

    def run(self, ctx: NodeContext) -> Denoiser:
        """Describe the file; raises ModelError when it holds no denoiser."""
        checkpoint = ctx.models.inspect(self.file, "denoisers")
        denoiser = part_of(checkpoint, "unet", Denoiser, precision=self.precision)
        if self.prediction == "auto":
            return denoiser
        return replace(denoiser, noise=replace(denoiser.noise, prediction=self.prediction))
