"""Guidance by a negative prompt that may contradict the positive one."""

from typing import Annotated

from graphflow import Conditioning, Denoiser, Field, Guider, Node, NodeContext, PerpendicularGuidance, Slider, node


@node("perpendicular_guider")
class PerpendicularGuider(Node):
    """Follow a prompt, away only from what the negative one does not share with it.

    A strong negative prompt then does no harm to the positive one. Each step takes half again as long as with plain guidance.
    """

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning
    """What it should not show."""
    empty: Conditioning
    """The encoded empty text, from which both others are measured."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the positive prompt."""
    negative_guidance: Annotated[float, Slider(0, 5, step=0.1)] = Field(default=1.0, ge=0, le=100)
    """How hard to avoid the negative one, as a factor: 0 ignores it."""

    def run(self, ctx: NodeContext) -> Guider:
        """A recipe: nothing is computed yet."""
        prompts = (self.positive, self.negative, self.empty)
        return PerpendicularGuidance(self.denoiser, *prompts, self.guidance, self.negative_guidance)
