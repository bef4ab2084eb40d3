"""Prompts into conditioning, with CLIP text encoders (Radford et al., arXiv 2103.00020)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphflow.ports.conditioning import Conditioning, ConditioningEntry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EncodedTokens:
    """What a text encoder makes of token ids."""

    hidden: Tensor
    """`[batch, tokens, width]`, float32, after the final norm."""
    pooled: Tensor
    """`[batch, width]`, float32: the hidden state of the end token in the last layer."""


ReadTokens = Callable[..., EncodedTokens]
"""`encode_tokens`, or `text_sdxl.read_tokens` for the encoders of Stable Diffusion XL."""


def encode_prompt(
    encoder: Any, tokenizer: Any, prompt: str, *, clip_skip: int = 0, log: logging.Logger | None = None
) -> Conditioning:
    """One prompt as conditioning, on the CPU; every sign in it is text.

    A prompt that is too long is cut, with a warning. `clip_skip` is the number of last layers to leave out. Raises ValueError when the encoder
    has no more layers than that.
    """
    encoded = read_plain(encoder, tokenizer, prompt, read=encode_tokens, clip_skip=clip_skip, log=log)
    return Conditioning((ConditioningEntry(encoded.hidden.cpu(), pooled=encoded.pooled.cpu()),))


def read_plain(
    encoder: Any,
    tokenizer: Any,
    prompt: str,
    *,
    read: ReadTokens,
    clip_skip: int = 0,
    log: logging.Logger | None = None,
) -> EncodedTokens:
    """One prompt as a text encoder reads it; what is too long is cut, with a warning that names the words left out."""
    ids, left_out = token_ids(tokenizer, prompt, length=prompt_length(encoder, tokenizer))
    if left_out:
        (log or _log).warning('the prompt is longer than the text encoder reads; left out: "%s"', left_out)
    return read(encoder, ids, clip_skip=clip_skip)


def prompt_length(encoder: Any, tokenizer: Any) -> int:
    """Tokens in a prompt with its begin and end tokens; prompts are padded and cut to it."""
    return int(min(tokenizer.model_max_length, encoder.config.max_position_embeddings))


def token_ids(tokenizer: Any, prompt: str, *, length: int) -> tuple[Tensor, str]:
    """Token ids `[1, length]`, padded, and the words at the end of the prompt that did not fit (empty when all did)."""
    full = tokenizer(prompt, truncation=False, verbose=False).input_ids
    cut = tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids
    left_out = tokenizer.decode(full[length - 1 :], skip_special_tokens=True).strip() if len(full) > length else ""
    return cut, left_out


@torch.no_grad()
def encode_tokens(encoder: Any, ids: Tensor, *, clip_skip: int = 0) -> EncodedTokens:
    """Hidden states of a transformers CLIP text model for token ids `[batch, tokens]`.

    With `clip_skip` they are those of an earlier layer, put through the final norm all the same. Raises ValueError when the encoder has no
    more layers than that.
    """
    layers = encoder.config.num_hidden_layers
    if not 0 <= clip_skip < layers:
        raise ValueError(
            f"clip skip {clip_skip} is out of range for a text encoder of {layers} layers; use 0 to {layers - 1}"
        )
    # A model with a projection keeps the text model inside.
    text_model = getattr(encoder, "text_model", encoder)
    answer = text_model(ids.to(text_model.final_layer_norm.weight.device), output_hidden_states=clip_skip > 0)
    hidden = answer.last_hidden_state
    if clip_skip > 0:
        hidden = text_model.final_layer_norm(answer.hidden_states[-1 - clip_skip])
    return EncodedTokens(hidden.float(), answer.pooler_output.float())
