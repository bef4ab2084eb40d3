"""Prompts with weights, chunks and learned words, read by a CLIP text encoder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from graphflow.diffusion.chunks import SpecialTokens, Token, lay_out
from graphflow.diffusion.prompt_syntax import Piece, TimedPrompt, Weighting
from graphflow.diffusion.text import EncodedTokens, ReadTokens, encode_tokens, prompt_length
from graphflow.models.textual_inversion import learned_words
from graphflow.ports.conditioning import Conditioning, ConditioningEntry

_EXPLICIT = r"embedding:(?P<named><[^<>]*>|[^\s,<>:]+)"
_BY_WORD = r"|<(?P<tagged>{words})>|(?<![\w-])(?P<bare>{words})(?![\w-])"
"""How a prompt may call a learned word."""
_FILE_ENDING = re.compile(r"\.(safetensors|pt|bin)$", re.IGNORECASE)


def read_timed_prompt(
    encoder: Any,  # transformers' text models have no type in common
    tokenizer: Any,
    prompt: TimedPrompt,
    *,
    read: ReadTokens = encode_tokens,
    weighting: Weighting = "from_empty",
    clip_skip: int = 0,
    least: EncodedTokens | None = None,
) -> EncodedTokens:
    """What an encoder reads: hidden states `[1, chunks * length, width]`, the chunks in a row; the pooled text of the first.

    At least as many tokens as `least` has, in empty chunks if need be: encoders that are joined must read the same number. Raises
    ValueError for an embedding that the encoder does not have, and when it has too few layers for `clip_skip`.
    """
    length = prompt_length(encoder, tokenizer)
    at_least = 1 if least is None else least.hidden.shape[1] // length
    special = _special(tokenizer)
    tokens = prompt_tokens(tokenizer, prompt, learned_words(encoder))
    chunks = lay_out(tokens, special, length=length, at_least=at_least)
    is_weighted = any(chunk.is_weighted for chunk in chunks)
    empty = lay_out([], special, length=length) if is_weighted else ()
    encoded = read(encoder, torch.tensor([chunk.ids for chunk in (*chunks, *empty)]), clip_skip=clip_skip)
    hidden = encoded.hidden[: len(chunks)]
    if is_weighted:
        weights = torch.tensor([chunk.weights for chunk in chunks]).to(hidden)
        hidden = weighed(hidden, weights, empty=encoded.hidden[len(chunks) :], weighting=weighting)
    return EncodedTokens(hidden.reshape(1, -1, hidden.shape[-1]), encoded.pooled[:1])


def weighed(hidden: Tensor, weights: Tensor, *, empty: Tensor, weighting: Weighting) -> Tensor:
    """Hidden states `[chunks, tokens, width]` with a weight for each token, `[chunks, tokens]`.

    from_empty: e + w (h - e), where e, `[1, tokens, width]`, are the hidden states of the empty prompt at the same places.
    keep_mean: w h, where any weight is not 1 scaled so that the mean of the chunk's numbers is as before.
    """
    factors = weights[..., None]
    if weighting == "from_empty":
        return torch.where(factors == 1, hidden, empty + factors * (hidden - empty))
    scaled = hidden * factors
    before, after = (tensor.mean(dim=(1, 2), keepdim=True) for tensor in (hidden, scaled))
    changed = (weights != 1).any(dim=1)[:, None, None]
    return torch.where(changed, scaled * (before / after), hidden)


def prompt_tokens(tokenizer: Any, prompt: TimedPrompt, words: Mapping[str, tuple[int, ...]]) -> list[list[Token]]:
    """The prompt's tokens, section by section; `words` are ids by learned word.

    Raises ValueError for an embedding that is not among the words.
    """
    return [[token for piece in section for token in _tokens(tokenizer, piece, words)] for section in prompt.sections]


def count_tokens(encoder: Any, tokenizer: Any, prompt: TimedPrompt) -> tuple[int, int]:
    """Tokens of a prompt without what stands around it, and chunks that it is read in. Raises as `prompt_tokens` does."""
    sections = prompt_tokens(tokenizer, prompt, learned_words(encoder))
    chunks = lay_out(sections, _special(tokenizer), length=prompt_length(encoder, tokenizer))
    return sum(len(token.ids) for section in sections for token in section), len(chunks)


def timed_conditioning(prompts: Sequence[TimedPrompt], read: Sequence[EncodedTokens]) -> Conditioning:
    """One entry on the CPU for each stretch of the noise schedule."""
    return Conditioning(
        tuple(
            ConditioningEntry(encoded.hidden.cpu(), pooled=encoded.pooled.cpu(), start=prompt.start, end=prompt.end)
            for prompt, encoded in zip(prompts, read, strict=True)
        )
    )


def _tokens(tokenizer: Any, piece: Piece, words: Mapping[str, tuple[int, ...]]) -> Iterator[Token]:
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    for part in _split_at_words(piece, words):
        if isinstance(part, Token):
            yield part
        else:
            for id in tokenizer(part.text, add_special_tokens=False, truncation=False, verbose=False).input_ids:
                yield Token((int(id),), part.weight, is_comma=id == comma)


def _split_at_words(piece: Piece, words: Mapping[str, tuple[int, ...]]) -> Iterator[Piece | Token]:
    """The piece's text around the learned words in it, and the words. Raises ValueError for an embedding that is not among them."""
    by_name = {word.casefold(): ids for word, ids in words.items()}
    pattern = _EXPLICIT
    if words:
        pattern += _BY_WORD.format(words="|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
    place = 0
    for match in re.finditer(pattern, piece.text, re.IGNORECASE):
        if match.start() > place:
            yield replace(piece, text=piece.text[place : match.start()])
        name = _known_name(match["named"], by_name) if match["named"] else match[match.lastgroup or 0]
        yield Token(by_name[name.casefold()], piece.weight)
        place = match.end()
    if place < len(piece.text):
        yield replace(piece, text=piece.text[place:])


def _known_name(name: str, by_name: Mapping[str, tuple[int, ...]]) -> str:
    """The word that `embedding:name` means: with or without a file's ending, angle brackets, or the end of a sentence."""
    plain = name.rstrip(".;!?")
    for candidate in (name, plain, _FILE_ENDING.sub("", plain), f"<{plain}>"):
        if candidate.casefold() in by_name:
            return candidate
    known = ", ".join(sorted(by_name)) or "none"
    raise ValueError(
        f'the prompt names the embedding "{name}", which the text encoder does not have (it has: {known}); '
        "put it on the text encoder with the node load_embedding"
    )


def _special(tokenizer: Any) -> SpecialTokens:
    begin, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    return SpecialTokens(begin, end, end if pad is None else pad)
