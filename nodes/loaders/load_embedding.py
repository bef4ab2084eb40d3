"""Teach a text encoder a word."""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated

from graphflow import Field, ModelFile, Node, NodeContext, TextEncoder, TextualInversionPatch, node

_WORD = re.compile(r"<?\w[\w.+-]*>?")


@node("load_embedding", cache="disk", lane="io")
class LoadEmbedding(Node):
    """Teach a text encoder a word: a textual inversion, a small file that stands for a style, a thing, or all that should not be seen.

    In prompts, write the word, embedding:word or <word>. Use several of these nodes in a row for several words.
    """

    text_encoder: TextEncoder
    """The part of a model that reads prompts."""
    file: Annotated[str, ModelFile("embeddings")] = Field(min_length=1)
    """Name of a file in the folder models/embeddings, a path, or a Hugging Face id such as owner/name."""
    word: str = Field(default="", max_length=100)
    """How prompts call it; left empty, the file's name."""

    def run(self, ctx: NodeContext) -> TextEncoder:
        """The text encoder with the word; raises ModelError for a file that does not fit it, ValueError for a word that prompts cannot hold."""
        word = self._free_word()
        encoders = [self.text_encoder, *([self.text_encoder.second] if self.text_encoder.second else [])]
        found = ctx.models.inspect_adapter(self.file, encoders, kind="embeddings")
        first, *others = [
            encoder.patched(TextualInversionPatch(found.file, found.fingerprint, word, encoder.part))
            for encoder in encoders
        ]
        return replace(first, second=others[0]) if others else first

    def _free_word(self) -> str:
        word = self.word.strip() or PurePosixPath(self.file.replace("\\", "/").rpartition(":")[2]).stem
        if not _WORD.fullmatch(word):
            raise ValueError(
                f'"{word}" cannot be told apart in a prompt; choose a word of letters, digits, "_", "-", "+" and ".", such as my-style or <my-style>'
            )
        taken = [patch.word for patch in self.text_encoder.patches if isinstance(patch, TextualInversionPatch)]
        if word.casefold() in map(str.casefold, taken):
            raise ValueError(f'the text encoder knows the word "{word}" already; choose another one')
        return word
