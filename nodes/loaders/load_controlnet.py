"""Open a ControlNet."""

from typing import Annotated

from graphflow import ControlNet, Field, ModelFile, Node, NodeContext, node

from ._parts import Precision, part_of


@node("load_controlnet", cache="disk", lane="io")
class LoadControlNet(Node):
    """Open a ControlNet: a network that steers a model by a picture of edges, depth, poses... It must be made for the model's family.

    Reads ControlNets of Stable Diffusion 1.5, 2.x and XL, in diffusers' layout and in that of the original files.
    """

    file: Annotated[str, ModelFile("controlnets")] = Field(default="tiny-controlnet-canny", min_length=1)
    """Name of a bundled ControlNet, of a file or folder in models/controlnets, a path, or a Hugging Face id such as owner/name."""
    precision: Precision = "auto"
    """Number format of the weights. auto is the one of the model that it steers."""

    def run(self, ctx: NodeContext) -> ControlNet:
        """Describe the file; raises ModelError when it holds no ControlNet."""
        return part_of(ctx.models.inspect(self.file, "controlnets"), "controlnet", ControlNet, precision=self.precision)
