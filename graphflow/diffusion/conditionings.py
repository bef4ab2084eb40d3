"""Conditionings put together and narrowed down: in space, in time, in strength. What they do not mention they keep, ControlNets included."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from graphflow.diffusion.masks import Area, area_mask
from graphflow.ports.conditioning import Conditioning, ConditioningEntry
from graphflow.ports.control import Control
from graphflow.ports.mask import Mask


def combined(conditionings: Sequence[Conditioning]) -> Conditioning:
    """All prompts at once: where they overlap, the sampler takes the mean of what the denoiser predicts for each, by strength."""
    return Conditioning(tuple(entry for conditioning in conditionings for entry in conditioning.entries))


def concatenated(conditionings: Sequence[Conditioning]) -> Conditioning:
    """The prompts in a row, as one longer text, with all their ControlNets; place, time, sizes and pooled text are those of the first.

    Raises ValueError when one of the later ones has several entries, or when text encoders of different widths made them.
    """
    first, *others = conditionings
    added = [_only_entry(other, "added") for other in others]

    def longer(entry: ConditioningEntry) -> ConditioningEntry:
        tokens = _same_batch([entry.tokens, *(other.tokens for other in added)])
        return replace(entry, tokens=torch.cat(tokens, dim=1), controls=_all_controls([entry, *added]))

    return _each(first, longer)


def averaged(first: Conditioning, second: Conditioning, share: float) -> Conditioning:
    """A prompt between two: the share (0 to 1) of the second, the rest of the first; pooled texts alike, where both have one.

    Prompts of different lengths are repeated until they are equally long, which is the same text to attention. Place, time and sizes are
    those of the first. Raises ValueError when the second has several entries, or when text encoders of different widths made them.
    """
    other = _only_entry(second, "averaged")

    def between(entry: ConditioningEntry) -> ConditioningEntry:
        length = math.lcm(entry.tokens.shape[1], other.tokens.shape[1])
        ours, theirs = _same_batch(
            [tokens.repeat(1, length // tokens.shape[1], 1) for tokens in (entry.tokens, other.tokens)]
        )
        pooled = entry.pooled
        if pooled is not None and other.pooled is not None:
            one, two = _same_batch([pooled, other.pooled])
            pooled = torch.lerp(one, two, share)
        return replace(
            entry, tokens=torch.lerp(ours, theirs, share), pooled=pooled, controls=_all_controls([entry, other])
        )

    return _each(first, between)


def zeroed(conditioning: Conditioning) -> Conditioning:
    """All zeros in place of the text and the pooled text, in the same sizes: what XL's base takes for the absence of a prompt."""

    def nothing(entry: ConditioningEntry) -> ConditioningEntry:
        pooled = None if entry.pooled is None else torch.zeros_like(entry.pooled)
        return replace(entry, tokens=torch.zeros_like(entry.tokens), pooled=pooled)

    return _each(conditioning, nothing)


def in_area(conditioning: Conditioning, area: Area) -> Conditioning:
    """The prompts inside a rectangle only: left, top, right, bottom as shares of the picture; an earlier area is replaced.

    Raises ValueError for an area that is empty or leaves the picture.
    """
    area_mask(area, height=1, width=1)
    return _each(conditioning, lambda entry: replace(entry, area=area))


def in_mask(conditioning: Conditioning, mask: Mask) -> Conditioning:
    """The prompts where a mask is white only, weaker where it is gray; an earlier mask is replaced."""
    return _each(conditioning, lambda entry: replace(entry, mask=mask))


def with_strength(conditioning: Conditioning, strength: float) -> Conditioning:
    """The prompts with their strengths multiplied: their weight where they overlap with others."""
    return _each(conditioning, lambda entry: replace(entry, strength=entry.strength * strength))


def during(conditioning: Conditioning, start: float, end: float) -> Conditioning:
    """The prompts during a part of the noise schedule only, shares from 0 to 1, within the times that they had.

    Raises ValueError when nothing is left.
    """
    if not 0 <= start < end <= 1:
        raise ValueError(
            f"from {start:g} to {end:g} is no part of the schedule; use 0 to 1, with the start before the end"
        )
    narrowed = (
        replace(entry, start=max(entry.start, start), end=min(entry.end, end)) for entry in conditioning.entries
    )
    entries = tuple(entry for entry in narrowed if entry.start < entry.end)
    if not entries:
        spans = ", ".join(f"{entry.start:g} to {entry.end:g}" for entry in conditioning.entries)
        raise ValueError(f"no prompt applies from {start:g} to {end:g} of the schedule; they apply from {spans}")
    return Conditioning(entries)


def with_extra(conditioning: Conditioning, name: str, tensor: Tensor) -> Conditioning:
    """The prompts with one more tensor for the denoiser, such as `text_sdxl.TIME_IDS`; one of the same name is replaced."""
    return _each(conditioning, lambda entry: replace(entry, extra={**entry.extra, name: tensor}))


def _each(conditioning: Conditioning, change: Callable[[ConditioningEntry], ConditioningEntry]) -> Conditioning:
    return Conditioning(tuple(change(entry) for entry in conditioning.entries))


def _only_entry(conditioning: Conditioning, what: str) -> ConditioningEntry:
    if len(conditioning.entries) != 1:
        raise ValueError(
            f"a conditioning of {len(conditioning.entries)} prompts cannot be {what}; only the first may have several "
            "(combined ones, or one that changes along the noise schedule)"
        )
    return conditioning.entries[0]


def _same_batch(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with as many rows as the largest batch. Raises ValueError for tensors that cannot stand together."""
    widths = {tensor.shape[-1] for tensor in tensors}
    if len(widths) > 1:
        shown = " and ".join(map(str, sorted(widths)))
        raise ValueError(f"prompts {shown} wide do not fit together; encode them with the same text encoder")
    batches = {tensor.shape[0] for tensor in tensors}
    if len(batches - {1}) > 1:
        raise ValueError(f"prompts for {' and '.join(map(str, sorted(batches)))} pictures do not fit together")
    return [tensor.expand(max(batches), *tensor.shape[1:]) for tensor in tensors]


def _all_controls(entries: Sequence[ConditioningEntry]) -> tuple[Control, ...]:
    """Every ControlNet once."""
    found: list[Control] = []
    for entry in entries:
        found += [control for control in entry.controls if not any(control is known for known in found)]
    return tuple(found)
