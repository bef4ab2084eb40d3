"""Let a picture steer what a prompt draws."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import (
    Conditioning,
    Control,
    ControlNet,
    Field,
    Image,
    Mask,
    Node,
    NodeContext,
    NodeOutputs,
    Slider,
    node,
)


@node("apply_controlnet")
class ApplyControlNet(Node):
    """Let a picture steer what a prompt draws: where its edges run, how deep it is, how a person stands...

    The ControlNet decides what it looks for, and wants a picture of just that: canny draws edges for one that looks for edges. Use several
    of these nodes in a row for several ControlNets; what they say adds up.
    """

    controlnet: ControlNet
    """What steers. It must be made for the family of the model that draws."""
    image: Image
    """What it looks at. It is fitted to the size of the new picture; other proportions are stretched."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show."""
    strength: Annotated[float, Slider(0, 2, step=0.05)] = Field(default=1.0, ge=0, le=10)
    """How strongly it steers: 1 as it was trained, 0 not at all."""
    start: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=0.0, ge=0, lt=1)
    """Where it begins: 0 is all noise, 1 the finished picture; a share of the noise schedule, whatever the number of steps."""
    end: Annotated[float, Slider(0, 1, step=0.01)] = Field(default=1.0, gt=0, le=1)
    """Where it stops. Less than 1 leaves the details to the model."""
    mask: Mask | None = None
    """Where it steers: white fully, black not at all; any size. Left empty: everywhere."""
    focus: Literal["balanced", "prompt", "picture"] = "balanced"
    """What counts more. prompt steers fine layers weakly; picture too, but only the positive prompt, so that guidance follows it (guess mode)."""

    class Outputs(NodeOutputs):
        """Both prompts, steered."""

        positive: Conditioning
        """What the picture should show."""
        negative: Conditioning | None
        """What it should not show; nothing where none was given."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a start that is not before the end."""
        control = Control(
            self.controlnet,
            self.image.pixels[:, :3],
            strength=self.strength,
            start=self.start,
            end=self.end,
            mask=self.mask,
            rising=self.focus != "balanced",
        )
        negative = self.negative
        if negative is not None and self.focus != "picture":
            negative = diffusion.steered(negative, control)
        return self.Outputs(positive=diffusion.steered(self.positive, control), negative=negative)
