"""Prompts into conditioning."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, LongText, Node, NodeContext, TextEncoder, node


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
        tokenizer = ctx.models.tokenizer(self.text_encoder)
        with ctx.models.use(self.text_encoder) as encoder:
            return diffusion.encode_prompt(encoder, tokenizer, self.text, clip_skip=self.clip_skip, log=ctx.log)
