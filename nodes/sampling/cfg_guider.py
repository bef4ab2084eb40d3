"""Guidance by a positive and a negative prompt."""

from typing import Annotated

from graphflow import CfgGuidance, Conditioning, Denoiser, Field, Guider, Node, NodeContext, Slider, node


@node("cfg_guider")
class CfgGuider(Node):
    """Follow a prompt, away from a negative one (classifier-free guidance). Samplers in parts take it, and it can be ranged."""

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show. Needed unless the guidance is 1; the encoded empty text will do."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the prompt. 1 ignores the negative prompt and takes half the time; below, the two are mixed."""
    rescale: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.0, ge=0, le=1)
    """How much of the contrast that strong guidance adds to take back: 0.7 keeps colours from burning out, 0 takes nothing."""

    def run(self, ctx: NodeContext) -> Guider:
        """A recipe: nothing is computed yet."""
        return CfgGuidance(self.denoiser, self.positive, self.negative, self.guidance, self.rescale)
