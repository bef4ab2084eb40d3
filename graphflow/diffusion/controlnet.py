"""ControlNets at work: what they add to the skip connections of a UNet (Zhang et al., arXiv 2302.05543)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from graphflow.diffusion.guidance import BatchConditioning, is_within, schedule_share
from graphflow.diffusion.masks import latent_mask
from graphflow.ports.conditioning import Conditioning
from graphflow.ports.control import Control
from graphflow.ports.model import ControlNet, NoiseSpec

Rows = list[tuple[int, Control]]
"""Rows of a batch, by number, and what steers each of them."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is added to a UNet's features, `[batch, channels, height, width]` each; rows that nothing steers are 0."""

    down: tuple[Tensor, ...]
    """One for each skip connection, outermost first."""
    middle: Tensor


@dataclass(frozen=True, eq=False)
class Steering:
    """The opened ControlNets of a sampling; each runs once per step, for the rows that it steers only."""

    networks: Mapping[ControlNet, Any]
    """diffusers `ControlNetModel`s, which are not typed, by recipe."""
    noise: NoiseSpec
    reduction: int
    """Picture pixels per latent pixel along one side."""

    def residuals(
        self,
        latents: Tensor,
        timestep: Tensor,
        conditioning: BatchConditioning,
        *,
        added: Mapping[str, Tensor] | None,
    ) -> Residuals | None:
        """The sum of what all ControlNets say, in float32 on the latents' device; None where none applies now.

        `latents` are `[batch, channels, height, width]` without channels beside them, `added` is what the UNet gets as
        `added_cond_kwargs`. Raises ValueError for what does not fit together.
        """
        share = schedule_share(timestep, self.noise)
        total: list[Tensor] = []
        for recipe, rows in _calls(conditioning.controls, share):
            said = self._said(recipe, rows, latents, timestep, conditioning.tokens, added or {})
            numbers = torch.tensor([number for number, _ in rows], device=latents.device)
            placed = [part.new_zeros(len(latents), *part.shape[1:]).index_copy_(0, numbers, part) for part in said]
            total = [before + now for before, now in zip(total, placed, strict=True)] if total else placed
        return Residuals(tuple(total[:-1]), total[-1]) if total else None

    def _said(
        self,
        recipe: ControlNet,
        rows: Rows,
        latents: Tensor,
        timestep: Tensor,
        tokens: Tensor,
        added: Mapping[str, Tensor],
    ) -> list[Tensor]:
        """What one ControlNet adds to each skip connection and the middle, for its rows, scaled and masked."""
        network = self._network(recipe, latents, tokens)
        weight = network.conv_in.weight
        numbers = [number for number, _ in rows]
        size = (latents.shape[-2] * self.reduction, latents.shape[-1] * self.reduction)
        pictures = torch.cat([fitted(control.picture, size) for _, control in rows])
        down, middle = network(
            latents[numbers].to(weight.device, weight.dtype),
            timestep.to(weight.device),
            encoder_hidden_states=tokens[numbers].to(weight.device, weight.dtype),
            controlnet_cond=pictures.to(weight.device, weight.dtype),
            added_cond_kwargs={name: tensor[numbers].to(weight.device) for name, tensor in added.items()},
            return_dict=False,
        )
        parts = [part.to(latents.device, torch.float32) for part in (*down, middle)]
        factors = torch.stack([_factors(control, len(parts)) for _, control in rows]).to(latents.device)
        return [part * factors[:, index, None, None, None] * _masks(rows, part) for index, part in enumerate(parts)]

    def _network(self, recipe: ControlNet, latents: Tensor, tokens: Tensor) -> Any:
        network = self.networks.get(recipe)
        if network is None:
            raise ValueError(f"the ControlNet {recipe.file} is not open; open the denoiser together with its prompts")
        config = network.config
        if tokens.shape[-1] != config.cross_attention_dim or latents.shape[1] != config.in_channels:
            raise ValueError(
                f"the ControlNet {recipe.file} takes conditioning {config.cross_attention_dim} wide and latents of "
                f"{config.in_channels} channels, the denoiser {tokens.shape[-1]} and {latents.shape[1]}; "
                "use a ControlNet that was trained for this denoiser"
            )
        if config.conditioning_channels != 3:
            raise ValueError(
                f"the ControlNet {recipe.file} looks at pictures of {config.conditioning_channels} channels; only those "
                "that look at RGB pictures can be used"
            )
        return network


def _calls(controls: Sequence[tuple[Control, ...]], share: float) -> Iterator[tuple[ControlNet, Rows]]:
    """What applies now, gathered into as few calls of networks as can be; a row has one control in each call."""
    calls: dict[tuple[ControlNet, int], Rows] = {}
    for number, row in enumerate(controls):
        times: dict[ControlNet, int] = {}
        for control in row:
            if control.strength == 0 or not is_within(share, control.start, control.end):
                continue
            time = times[control.network] = times.get(control.network, -1) + 1
            calls.setdefault((control.network, time), []).append((number, control))
    for (recipe, _), rows in calls.items():
        yield recipe, rows


def steered(prompt: Conditioning, control: Control) -> Conditioning:
    """The prompt with one more control on each of its entries; one of strength 0 changes nothing.

    Raises ValueError for a strength below 0, for a range of the schedule that is none, and for a picture that is not RGB.
    """
    if control.strength < 0:
        raise ValueError(f"the strength {control.strength:g} of a ControlNet is negative; use 0 or more")
    if not 0 <= control.start < control.end <= 1:
        raise ValueError(
            f"a ControlNet cannot steer from {control.start:g} to {control.end:g} of the schedule; use 0 to 1, the start below the end"
        )
    if control.picture.ndim != 4 or control.picture.shape[1] != 3:
        raise ValueError(f"a ControlNet looks at pictures [batch, 3, height, width], not {list(control.picture.shape)}")
    if control.strength == 0:
        return prompt
    return Conditioning(tuple(replace(entry, controls=(*entry.controls, control)) for entry in prompt.entries))


def fitted(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture `[batch, 3, height, width]` in another height and width, bilinear and without jagged edges, 0 to 1."""
    if picture.shape[-2:] == size:
        return picture
    resized = interpolate(picture.to(torch.float32), size=size, mode="bilinear", antialias=True, align_corners=False)
    return resized.clamp(0, 1)


def _factors(control: Control, parts: int) -> Tensor:
    """Strength in each part, outermost first and the middle last; a rising one begins at a tenth."""
    share = torch.logspace(-1, 0, parts) if control.rising else torch.ones(parts)
    return control.strength * share


def _masks(rows: Rows, part: Tensor) -> Tensor:
    """Where each row is steered, `[rows, 1, height, width]` in the part's size."""
    height, width = part.shape[-2:]
    masks = [
        torch.ones(1, 1, height, width)
        if control.mask is None
        else latent_mask(control.mask, height=height, width=width)
        for _, control in rows
    ]
    return torch.cat([mask.to(part) for mask in masks])
