"""Prompts and picture sizes into conditioning for Stable Diffusion XL (Podell et al., arXiv 2307.01952).

base       tokens = CLIP-L ++ OpenCLIP-bigG   pooled = bigG's   time_ids = original, crop, target sizes
refiner    tokens = OpenCLIP-bigG             pooled = bigG's   time_ids = original and crop sizes, aesthetic score
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphflow.diffusion.embeddings import embed_numbers
from graphflow.diffusion.text import EncodedTokens, read_plain
from graphflow.ports.conditioning import Conditioning, ConditioningEntry

TIME_IDS = "time_ids"
"""Name of the extra conditioning that holds sizes, `[batch, 6]` for the base and `[batch, 5]` for the refiner."""

SIZE_WIDTH = 256
"""Width of the embedding of each size."""

AESTHETIC_SCORE = 6.0
"""What the refiner is told of good pictures, on a scale from 0 to 10."""
NEGATIVE_AESTHETIC_SCORE = 2.5
"""What it is told of those to guide away from."""


@dataclass(frozen=True)
class PictureSizes:
    """Sizes in pixels that condition a picture: how large it was once, what was cut off, how large it is to be."""

    height: int
    width: int
    original_height: int | None = None
    """None for the picture's own."""
    original_width: int | None = None
    crop_top: int = 0
    crop_left: int = 0

    def base_ids(self) -> Tensor:
        """`[1, 6]`, float32: original height and width, crop top and left, target height and width."""
        return torch.tensor([[*self._original, self.crop_top, self.crop_left, self.height, self.width]]).float()

    def refiner_ids(self, aesthetic_score: float = AESTHETIC_SCORE) -> Tensor:
        """`[1, 5]`, float32: original height and width, crop top and left, aesthetic score."""
        return torch.tensor([[*self._original, self.crop_top, self.crop_left, aesthetic_score]]).float()

    @property
    def _original(self) -> tuple[int, int]:
        return self.original_height or self.height, self.original_width or self.width


def read_prompt(
    encoder: Any, tokenizer: Any, prompt: str, *, clip_skip: int = 0, log: logging.Logger | None = None
) -> EncodedTokens:
    """One prompt through one of the encoders. A prompt that is too long is cut, with a warning that names the words left out.

    Raises ValueError when the encoder has no layer left after `clip_skip`.
    """
    return read_plain(encoder, tokenizer, prompt, read=read_tokens, clip_skip=clip_skip, log=log)


@torch.no_grad()
def read_tokens(encoder: Any, ids: Tensor, *, clip_skip: int = 0) -> EncodedTokens:
    """Hidden states of the last layer but one, without the final norm, for token ids `[batch, tokens]`; the pooled text.

    `clip_skip` leaves out more layers. The pooled text is that of the last layer all the same, projected where the encoder
    projects. Raises ValueError when the encoder has no layer left.
    """
    layers = encoder.config.num_hidden_layers
    if not 0 <= clip_skip <= layers - 2:
        raise ValueError(
            f"clip skip {clip_skip} is out of range for a text encoder of {layers} layers, the last of which is never read; "
            f"use 0 to {layers - 2}"
        )
    text_model = getattr(encoder, "text_model", encoder)
    answer = text_model(ids.to(text_model.final_layer_norm.weight.device), output_hidden_states=True)
    pooled = answer.pooler_output
    if (projection := getattr(encoder, "text_projection", None)) is not None:
        pooled = projection(pooled)
    return EncodedTokens(answer.hidden_states[-2 - clip_skip].float(), pooled.float())


def join_encoders(first: EncodedTokens, second: EncodedTokens) -> EncodedTokens:
    """What both encoders read: hidden states side by side, `[batch, tokens, width of both]`, and the second one's pooled text.

    Raises ValueError when they read different numbers of tokens.
    """
    if first.hidden.shape[:2] != second.hidden.shape[:2]:
        raise ValueError(
            f"the first text encoder read {list(first.hidden.shape[:2])} prompts and tokens, the second "
            f"{list(second.hidden.shape[:2])}; both must read the same prompts at the same length"
        )
    return EncodedTokens(torch.cat([first.hidden, second.hidden.to(first.hidden)], dim=-1), second.pooled)


def without_text(encoded: EncodedTokens) -> EncodedTokens:
    """All zeros in the same sizes: what the base model takes for the absence of a negative prompt, better than an empty one."""
    return EncodedTokens(torch.zeros_like(encoded.hidden), torch.zeros_like(encoded.pooled))


def sdxl_conditioning(encoded: EncodedTokens, time_ids: Tensor) -> Conditioning:
    """One entry on the CPU, from `PictureSizes.base_ids` for the base and `refiner_ids` for the refiner."""
    entry = ConditioningEntry(encoded.hidden.cpu(), encoded.pooled.cpu(), {TIME_IDS: time_ids.float().cpu()})
    return Conditioning((entry,))


def with_own_sizes(
    conditioning: Conditioning, *, family: str, width: int, height: int, is_negative: bool = False
) -> Conditioning:
    """The conditioning for a picture of that size in pixels: entries that say no sizes get the picture's own.

    Families without such sizes get back what they gave. `is_negative` tells the refiner that it is to be guided away from.
    """
    sizes = PictureSizes(height=height, width=width)
    if family == "sdxl":
        time_ids = sizes.base_ids()
    elif family == "sdxl_refiner":
        time_ids = sizes.refiner_ids(NEGATIVE_AESTHETIC_SCORE if is_negative else AESTHETIC_SCORE)
    else:
        return conditioning
    entries = (replace(entry, extra={TIME_IDS: time_ids, **entry.extra}) for entry in conditioning.entries)
    return Conditioning(tuple(entries))


def sdxl_vector(pooled: Tensor, time_ids: Tensor, *, size_width: int = SIZE_WIDTH) -> Tensor:
    """`[batch, width]`: the vector that the UNet embeds, pooled text and then each size. diffusers' UNet makes it itself."""
    return torch.cat([pooled, embed_numbers(time_ids, size_width).to(pooled)], dim=-1)
