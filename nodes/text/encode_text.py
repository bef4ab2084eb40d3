"""Prompts into conditioning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, LongText, Node, NodeContext, SavedNodeEdit, TextEncoder, migration, node
from graphflow.diffusion import TimedPrompt, Weighting

if TYPE_CHECKING:
    from graphflow.diffusion import EncodedTokens

_READ_BY_TWO = ("sdxl", "sdxl_refiner")
"""Families whose prompts go through two text encoders, or through the second of them."""


@node("encode_text", version=2, cache="disk")
class EncodeText(Node):
    """Read a prompt, so that it can steer a sampler.

    (more), (much more:1.4) and [less] weigh words, [from:to:0.4] changes the prompt on the way, BREAK begins a new chunk; long prompts are
    read in chunks. Words that load_embedding has put on the text encoder are read by their name.
    """

    text_encoder: TextEncoder
    """The part of a model that reads prompts."""
    text: LongText = ""
    """What the picture should show; as a negative prompt, what it should not."""
    clip_skip: int = Field(default=0, ge=0, le=23)
    """How many of the text encoder's last layers to leave out. Some models were made for 1."""
    syntax: bool = True
    """Off to read brackets and other signs as they stand, and to cut a prompt that is too long."""
    weights: Weighting = "from_empty"
    """How weights act. from_empty moves away from what an empty prompt says, as other node editors do; keep_mean multiplies and restores the mean."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """One entry that applies everywhere, or one for each stretch of the noise schedule. Raises ValueError for a wrong prompt."""
        prompts = diffusion.parse_prompt(self.text) if self.syntax else (diffusion.literal_prompt(self.text),)
        read = self._read(ctx, self.text_encoder, prompts)
        if (second := self.text_encoder.second) is not None:
            beside = self._read(ctx, second, prompts, least=read)
            if any(one.hidden.shape[1] != two.hidden.shape[1] for one, two in zip(read, beside, strict=True)):
                read = self._read(ctx, self.text_encoder, prompts, least=beside)
            read = [diffusion.join_encoders(one, two) for one, two in zip(read, beside, strict=True)]
        return diffusion.timed_conditioning(prompts, read)

    def _read(
        self,
        ctx: NodeContext,
        recipe: TextEncoder,
        prompts: Sequence[TimedPrompt],
        *,
        least: "Sequence[EncodedTokens] | None" = None,
    ) -> "list[EncodedTokens]":
        """The prompts as one encoder reads them, at least as long as those of another."""
        tokenizer = ctx.models.tokenizer(recipe)
        read = diffusion.read_tokens if recipe.family in _READ_BY_TWO else diffusion.encode_tokens
        with ctx.models.use(recipe) as encoder:
            if not self.syntax:
                return [
                    diffusion.read_plain(
                        encoder, tokenizer, self.text, read=read, clip_skip=self.clip_skip, log=ctx.log
                    )
                ]
            return [
                diffusion.read_timed_prompt(
                    encoder,
                    tokenizer,
                    prompt,
                    read=read,
                    weighting=self.weights,
                    clip_skip=self.clip_skip,
                    least=None if least is None else least[at],
                )
                for at, prompt in enumerate(prompts)
            ]

    @migration(from_version=1)
    def _(saved: SavedNodeEdit) -> None:
        saved.keep_default("syntax", False)
