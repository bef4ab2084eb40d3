"""Prompts into conditioning."""

from typing import TYPE_CHECKING

import graphflow.diffusion as diffusion
from graphflow import Conditioning, ConditioningEntry, Field, LongText, Node, NodeContext, TextEncoder, node

if TYPE_CHECKING:
    from graphflow.diffusion import EncodedTokens

_READ_BY_TWO = ("sdxl", "sdxl_refiner")
"""Families whose prompts go through two text encoders, or through the second of them."""


@node("encode_text", cache="disk")
class EncodeText(Node):
    """Read a prompt, so that it can steer a sampler."""

    text_encoder: TextEncoder
    """The part of a model that reads prompts."""
    text: LongText = ""
    """What the picture should show; as a negative prompt, what it should not."""
    clip_skip: int = Field(default=0, ge=0, le=23)
    """How many of the text encoder's last layers to leave out. Some models were made for 1."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """One entry that applies everywhere."""
        if self.text_encoder.family in _READ_BY_TWO:
            return self._read_by_two(ctx)
        tokenizer = ctx.models.tokenizer(self.text_encoder)
        with ctx.models.use(self.text_encoder) as encoder:
            return diffusion.encode_prompt(encoder, tokenizer, self.text, clip_skip=self.clip_skip, log=ctx.log)

    def _read_by_two(self, ctx: NodeContext) -> Conditioning:
        """What both encoders read, side by side; sizes come from what is sampled."""
        read = self._read(ctx, self.text_encoder)
        if self.text_encoder.second is not None:
            read = diffusion.join_encoders(read, self._read(ctx, self.text_encoder.second))
        return Conditioning((ConditioningEntry(read.hidden.cpu(), pooled=read.pooled.cpu()),))

    def _read(self, ctx: NodeContext, recipe: TextEncoder) -> "EncodedTokens":
        tokenizer = ctx.models.tokenizer(recipe)
        with ctx.models.use(recipe) as encoder:
            return diffusion.read_prompt(encoder, tokenizer, self.text, clip_skip=self.clip_skip, log=ctx.log)
