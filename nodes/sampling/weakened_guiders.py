"""Guidance away from a weakened copy of the model itself."""

from typing import Annotated

from graphflow import (
    Conditioning,
    Denoiser,
    Field,
    Guider,
    Node,
    NodeContext,
    PerturbedAttentionGuidance,
    SkipLayerGuidance,
    Slider,
    node,
)


@node("perturbed_attention_guider")
class PerturbedAttentionGuider(Node):
    """Draw sharper shapes: away from what the model draws when its pixels don't look at one another (PAG).

    Works beside plain guidance, or without it and without a negative prompt. Each step takes half again as long as without.
    """

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show. Needed unless the guidance is 1."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the prompt, away from the negative one. 1 ignores the negative prompt."""
    perturbed_guidance: Annotated[float, Slider(0, 10, step=0.25)] = Field(default=3.0, ge=0, le=100)
    """How hard to go away from the weakened model. 0 is plain guidance."""
    layers: list[str] = Field(default=["mid_block"], min_length=1)
    """Where in the model self-attention is switched off, by the beginnings of names: mid_block, down_blocks.2, up_blocks.1..."""

    def run(self, ctx: NodeContext) -> Guider:
        """A recipe: nothing is computed yet."""
        return PerturbedAttentionGuidance(
            self.denoiser, self.positive, self.negative, self.guidance, self.perturbed_guidance, tuple(self.layers)
        )


@node("skip_layer_guider")
class SkipLayerGuider(Node):
    """Draw better structure: away from what the model draws with some of its layers left out (SLG).

    Often put in a range, early in the schedule. Each step takes half again as long as without.
    """

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show. Needed unless the guidance is 1."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the prompt, away from the negative one. 1 ignores the negative prompt."""
    skip_guidance: Annotated[float, Slider(0, 10, step=0.25)] = Field(default=2.5, ge=0, le=100)
    """How hard to go away from the weakened model. 0 is plain guidance."""
    layers: list[str] = Field(default=["mid_block"], min_length=1)
    """Whose transformer blocks are left out, by the beginnings of names: mid_block, down_blocks.2, up_blocks.1.attentions.0..."""

    def run(self, ctx: NodeContext) -> Guider:
        """A recipe: nothing is computed yet."""
        return SkipLayerGuidance(
            self.denoiser, self.positive, self.negative, self.guidance, self.skip_guidance, tuple(self.layers)
        )
