"""How long a prompt is."""

import graphflow.diffusion as diffusion
from graphflow import LongText, Node, NodeContext, NodeOutputs, TextEncoder, node


@node("count_tokens")
class CountTokens(Node):
    """Count what a text encoder makes of a prompt, brackets and other signs read as encode_text reads them."""

    text_encoder: TextEncoder
    """The part of a model that reads prompts."""
    text: LongText = ""
    """The prompt."""

    class Outputs(NodeOutputs):
        """Two numbers."""

        tokens: int
        """Tokens of the words: most words are one, rare ones several. Of a prompt that changes on the way, those of its longest form."""
        chunks: int
        """Chunks that the prompt is read in; Stable Diffusion's have 75 tokens each."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a wrong prompt."""
        tokenizer = ctx.models.tokenizer(self.text_encoder)
        with ctx.models.use(self.text_encoder) as encoder:
            counts = [
                diffusion.count_tokens(encoder, tokenizer, prompt) for prompt in diffusion.parse_prompt(self.text)
            ]
        tokens, chunks = (max(column) for column in zip(*counts, strict=True))
        return self.Outputs(tokens=tokens, chunks=chunks)
