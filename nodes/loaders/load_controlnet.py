"""Open a ControlNet."""

from typing import Annotated

from graphflow import ControlNet, Field, ModelFile, Node, NodeContext, NodeOutputs, node

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

    class Outputs(NodeOutputs):
        """What steers."""

        controlnet: ControlNet
        """For apply_controlnet."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Describe the file; raises ModelError when it holds no ControlNet."""
        checkpoint = ctx.models.inspect(self.file, "controlnets")
        return self.Outputs(controlnet=part_of(checkpoint, "controlnet", ControlNet, precision=self.precision))
