"""Guidance by two prompts in a row."""

from typing import Annotated

from graphflow import Conditioning, Denoiser, DualGuidance, Field, Guider, Node, NodeContext, Slider, node


@node("dual_guider")
class DualGuider(Node):
    """Follow two prompts, each as hard as you like: first a part of the prompt, and from there the whole one.

    Such as a style, and the thing in that style. Each step takes half again as long as with plain guidance.
    """

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """The whole prompt."""
    middle: Conditioning
    """A part of it, such as the style without the thing."""
    negative: Conditioning
    """What the picture should not show; the encoded empty text will do."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow what the whole prompt says beyond the middle one."""
    middle_guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the middle prompt. Equal guidances are plain guidance by the whole prompt."""

    def run(self, ctx: NodeContext) -> Guider:
        """A recipe: nothing is computed yet."""
        prompts = (self.positive, self.middle, self.negative)
        return DualGuidance(self.denoiser, *prompts, self.guidance, self.middle_guidance)
