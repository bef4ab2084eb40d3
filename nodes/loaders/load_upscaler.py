"""Open an upscaler."""

from typing import Annotated

from graphflow import Field, ModelFile, Node, NodeContext, NodeOutputs, Upscaler, node

from ._parts import Precision, part_of


@node("load_upscaler", cache="disk", lane="io")
class LoadUpscaler(Node):
    """Open a network that makes pictures larger with more detail, for upscale_image.

    Reads ESRGAN and Real-ESRGAN models by itself, and those of other architectures with the extra `graphflow[upscale]`.
    """

    file: Annotated[str, ModelFile("upscalers")] = Field(min_length=1)
    """Name of a file in the folder models/upscalers, a path, or a Hugging Face id such as owner/name."""
    precision: Precision = "auto"
    """Number format of the weights. auto is fp32 on a CPU, fp16 on a GPU."""

    class Outputs(NodeOutputs):
        """The upscaler and its factor."""

        upscaler: Upscaler
        """For upscale_image."""
        scale: int
        """How many times as wide and high it makes pictures."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Describe the file; raises ModelError when it holds no upscaler."""
        found = part_of(ctx.models.inspect(self.file, "upscalers"), "upscaler", Upscaler, precision=self.precision)
        return self.Outputs(upscaler=found, scale=found.scale)
