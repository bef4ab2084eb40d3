"""Guiders: how predictions for several prompts become one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor

from graphflow.diffusion.masks import area_mask, latent_mask
from graphflow.ports.conditioning import Conditioning, ConditioningEntry
from graphflow.ports.control import Control
from graphflow.ports.mask import Mask
from graphflow.ports.model import NoiseSpec

_MOST_REPEATS = 4
"""How often the longest prompt of a batch may be repeated so that all have one length."""


@dataclass(frozen=True, eq=False)
class BatchConditioning:
    """What a network is told beside latents and timestep, row by row of a batch."""

    tokens: Tensor
    """`[batch, tokens, width]`."""
    pooled: Tensor | None = None
    """`[batch, width]`, for families that use it."""
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    """More tensors by name, `[batch, ...]`."""
    controls: Sequence[tuple[Control, ...]] = ()
    """What steers each row, with the pictures and masks of that row; empty where nothing steers any."""

    def rows(self, rows: slice) -> BatchConditioning:
        """The conditioning of some rows."""
        return BatchConditioning(
            self.tokens[rows],
            None if self.pooled is None else self.pooled[rows],
            {name: tensor[rows] for name, tensor in self.extra.items()},
            self.controls[rows],
        )


class Network(Protocol):
    """A denoising network of any family, as guiders call it."""

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        """Prediction, float32, for latents `[batch, channels, height, width]` and conditioning of the same batch."""


def cfg(uncond: Tensor, cond: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans, arXiv 2207.12598): away from one prediction, through the other; tensors of one shape."""
    return uncond + scale * (cond - uncond)


@dataclass(frozen=True, eq=False)
class CfgGuider:
    """Classifier-free guidance over prompts that may have areas, masks, strengths and times; a `sampling.Model`.

    It is on unless the scale is 1: above, away from the negative prompt; below, a mixture of both. Then negative and positive prompts
    go through the network in one batch, in that order.
    """

    network: Network
    positive: Conditioning
    negative: Conditioning | None
    scale: float
    noise: NoiseSpec

    def __post_init__(self) -> None:
        if not self.positive.entries:
            raise ValueError("the positive conditioning has no entry; link an encoded prompt")
        if self.is_on and (self.negative is None or not self.negative.entries):
            raise ValueError(
                f"guidance {self.scale:g} needs a negative conditioning to guide away from; link one (an empty prompt will do), "
                "or use guidance 1"
            )

    @property
    def is_on(self) -> bool:
        """Whether the negative prompt is used at all."""
        return self.scale != 1

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The guided prediction, of the latents' shape."""
        share = schedule_share(timestep, self.noise)
        positive = active_entries(self.positive, share, role="positive")
        if not self.is_on or self.negative is None:
            return blend(predict(self.network, latents, timestep, positive), positive)
        negative = active_entries(self.negative, share, role="negative")
        predictions = predict(self.network, latents, timestep, [*negative, *positive])
        uncond = blend(predictions[: len(negative)], negative)
        return cfg(uncond, blend(predictions[len(negative) :], positive), self.scale)


def schedule_share(timestep: Tensor, noise: NoiseSpec) -> float:
    """Where a timestep lies on the way from all noise (0) to none (1), whatever the number of steps."""
    return min(max(1 - float(timestep) / (noise.train_steps - 1), 0.0), 1.0)


def is_within(share: float, start: float, end: float) -> bool:
    """Whether a share of the schedule lies from `start` until before `end`, or up to the very end where `end` is 1."""
    return start <= share and (share < end or end >= 1)


def active_entries(conditioning: Conditioning, share: float, *, role: str) -> list[ConditioningEntry]:
    """Entries that apply at a share of the schedule: from `start` until before `end`, or to the very end where `end` is 1.

    Raises ValueError, naming the role, when none does.
    """
    active = [entry for entry in conditioning.entries if is_within(share, entry.start, entry.end)]
    if not active:
        spans = ", ".join(f"{entry.start:g} to {entry.end:g}" for entry in conditioning.entries)
        raise ValueError(
            f"no {role} prompt applies at {share:.2f} of the schedule (they apply from {spans}); add one that does"
        )
    return active


def predict(network: Network, latents: Tensor, timestep: Tensor, entries: Sequence[ConditioningEntry]) -> list[Tensor]:
    """The network's prediction for each entry; neighbours whose tensors have the same sizes share one batch, in order.

    Prompts of different lengths share one too where the network says that it has `unordered_tokens`: all tokens of a prompt twice,
    or three times, are the same prompt to a softmax over them.
    """
    batch = latents.shape[0]
    predictions: list[Tensor] = []
    for group in _batches(entries, mixes_lengths=getattr(network, "unordered_tokens", False)):
        length = math.lcm(*(entry.tokens.shape[1] for entry in group))
        controls = [row for entry in group for row in _control_rows(entry, batch)]
        pooled = [entry.pooled for entry in group if entry.pooled is not None]
        conditioning = BatchConditioning(
            _stack((entry.tokens.repeat(1, length // entry.tokens.shape[1], 1) for entry in group), batch),
            _stack(pooled, batch) if pooled else None,
            {name: _stack((entry.extra[name] for entry in group), batch) for name in group[0].extra},
            controls if any(controls) else (),
        )
        stacked = network(latents.repeat(len(group), 1, 1, 1), timestep, conditioning)
        predictions += stacked.chunk(len(group))
    return predictions


def blend(predictions: Sequence[Tensor], entries: Sequence[ConditioningEntry]) -> Tensor:
    """Weighted mean of the entries' predictions, pixel by pixel: weight = strength x area x mask.

    Raises ValueError when a part of the picture has no weight at all.
    """
    if len(entries) == 1 and entries[0].area is None and entries[0].mask is None and entries[0].strength > 0:
        return predictions[0]
    weights = [_weight(entry, prediction) for entry, prediction in zip(entries, predictions, strict=True)]
    total = torch.stack([weight.expand_as(predictions[0]) for weight in weights]).sum(dim=0)
    bare = float((total <= 0).float().mean())
    if bare > 0:
        raise ValueError(
            f"{bare:.0%} of the picture has no prompt; add one without an area or mask, or with a strength above 0"
        )
    return torch.stack([w * p for w, p in zip(weights, predictions, strict=True)]).sum(dim=0) / total


def _weight(entry: ConditioningEntry, prediction: Tensor) -> Tensor:
    if entry.strength < 0:
        raise ValueError(f"the strength {entry.strength:g} of a prompt is negative; use 0 or more")
    height, width = prediction.shape[-2:]
    weight = torch.full((1, 1, 1, 1), entry.strength)
    if entry.area is not None:
        weight = weight * area_mask(entry.area, height=height, width=width)
    if entry.mask is not None:
        weight = weight * latent_mask(entry.mask, height=height, width=width).to(weight.device)
    return weight.to(prediction)


def _batches(entries: Sequence[ConditioningEntry], *, mixes_lengths: bool) -> Iterator[list[ConditioningEntry]]:
    """Neighbours that can share a batch; prompts of different lengths only where they need not be repeated often."""
    for _, neighbours in groupby(entries, key=_sizes):
        group = list(neighbours)
        lengths = [entry.tokens.shape[1] for entry in group]
        if mixes_lengths and math.lcm(*lengths) <= _MOST_REPEATS * max(lengths):
            yield group
        else:
            yield from (list(same) for _, same in groupby(group, key=lambda entry: entry.tokens.shape[1]))


def _sizes(entry: ConditioningEntry) -> tuple[object, ...]:
    """All sizes but the length of the prompt."""
    pooled = None if entry.pooled is None else entry.pooled.shape[1:]
    return entry.tokens.shape[2:], pooled, tuple((name, value.shape[1:]) for name, value in sorted(entry.extra.items()))


def _control_rows(entry: ConditioningEntry, batch: int) -> Iterator[tuple[Control, ...]]:
    """The entry's controls for each latent, with its own pictures and masks; one picture serves all latents."""
    for control in entry.controls:
        for name, count in (
            ("pictures", len(control.picture)),
            ("masks", len(control.mask.values) if control.mask else 1),
        ):
            if count not in (1, batch):
                raise ValueError(f"a ControlNet with {count} {name} does not fit {batch} latents; use 1 or {batch}")
    for row in range(batch):
        yield tuple(_of_row(control, row) for control in entry.controls)


def _of_row(control: Control, row: int) -> Control:
    picture, mask = control.picture, control.mask
    if len(picture) > 1:
        picture = picture[row : row + 1]
    if mask is not None and len(mask.values) > 1:
        mask = Mask(mask.values[row : row + 1])
    return replace(control, picture=picture, mask=mask)


def _stack(tensors: Iterable[Tensor], batch: int) -> Tensor:
    """One row per latent and entry; a tensor of one row serves all latents."""
    rows = []
    for tensor in tensors:
        if tensor.shape[0] not in (1, batch):
            raise ValueError(
                f"conditioning of {tensor.shape[0]} pictures does not fit {batch} latents; use 1 or {batch}"
            )
        rows.append(tensor if tensor.shape[0] == batch else tensor.expand(batch, *tensor.shape[1:]))
    return torch.cat(rows)
