"""From a guider's recipe to the model that samplers call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any, TypeVar

from graphflow.diffusion.guidance import CfgGuider
from graphflow.diffusion.guiders import DualGuider, PerpendicularGuider, RangedGuider, RescaledGuider, WeakenedGuider
from graphflow.diffusion.network import OpenedNetwork, opened_network
from graphflow.diffusion.sampling import Model
from graphflow.diffusion.text_sdxl import with_own_sizes
from graphflow.diffusion.weakened import PerturbedAttention, SkippedLayers
from graphflow.ports.conditioning import Conditioning
from graphflow.ports.guider import (
    CfgGuidance,
    DualGuidance,
    Guider,
    PerpendicularGuidance,
    PerturbedAttentionGuidance,
    RangedGuidance,
    SkipLayerGuidance,
)

if TYPE_CHECKING:
    from graphflow.authoring import ModelService

G = TypeVar("G", bound=Guider)


@contextmanager
def opened_guider(models: ModelService, guider: Guider, *, width: int, height: int) -> Iterator[Model]:
    """The guider at work, with the networks that it needs, for the block; `width` and `height` in pixels of the picture.

    Raises ValueError for settings that contradict each other, else as `network.opened_network`.
    """
    sized = with_sizes(guider, width=width, height=height)
    with opened_network(models, guider.denoiser, prompts_of(sized)) as network:
        yield guider_of(sized, network)


def prompts_of(guider: Guider) -> Iterator[Conditioning]:
    """All prompts of a guider, those of guiders within it included."""
    for value in vars(guider).values():
        if isinstance(value, Conditioning):
            yield value
        elif isinstance(value, Guider):
            yield from prompts_of(value)


def with_sizes(guider: G, *, width: int, height: int) -> G:
    """The guider with the picture's size in all its prompts, for families that take it; see `text_sdxl.with_own_sizes`."""
    sized: dict[str, Any] = {}  # by field
    for role, value in vars(guider).items():
        if isinstance(value, Conditioning):
            family = guider.denoiser.family
            sized[role] = with_own_sizes(
                value, family=family, width=width, height=height, is_negative=role == "negative"
            )
        elif isinstance(value, Guider):
            sized[role] = with_sizes(value, width=width, height=height)
    return replace(guider, **sized)


def ranged(inside: Guider, outside: Guider | None, *, start: float, end: float) -> RangedGuidance:
    """One guider within a share of the schedule, another one outside; None for the positive prompt of the first one alone.

    Raises ValueError if the end is not above the start, if the two have different denoisers, or if there is no positive prompt.
    """
    if not start < end:
        raise ValueError(
            f"guidance from {start:g} to {end:g} of the schedule is no range; the end must be above the start"
        )
    if outside is None:
        positive = _positive(inside)
        if positive is None:
            raise ValueError(
                f"{type(inside).__name__} has no positive prompt of its own; link a guider for outside of the range"
            )
        outside = CfgGuidance(inside.denoiser, positive, scale=1.0)
    if outside.denoiser != inside.denoiser:
        raise ValueError(
            f'inside the range "{inside.denoiser.file}" would guide, outside "{outside.denoiser.file}", or the same with other '
            "LoRAs; link guiders of one model. For a model that takes over from another one, use refine_stage"
        )
    return RangedGuidance(inside.denoiser, inside, outside, start, end)


def _positive(guider: Guider) -> Conditioning | None:
    if isinstance(guider, RangedGuidance):
        return _positive(guider.inside)
    found = getattr(guider, "positive", None)
    return found if isinstance(found, Conditioning) else None


@singledispatch
def guider_of(recipe: Guider, network: OpenedNetwork) -> Model:
    """The arithmetic of a recipe on an opened network. Packs register that of their own: `guider_of.register(MyGuidance)`."""
    raise ValueError(
        f"nothing here guides by {type(recipe).__name__}; the pack that brings it must register how (`guider_of.register`)"
    )


@guider_of.register(CfgGuidance)
def _cfg(recipe: CfgGuidance, network: OpenedNetwork) -> Model:
    noise = recipe.denoiser.noise
    if recipe.rescale == 0 or recipe.negative is None or recipe.scale == 1:
        return CfgGuider(network, recipe.positive, recipe.negative, recipe.scale, noise)
    return RescaledGuider(network, recipe.positive, recipe.negative, recipe.scale, noise, recipe.rescale)


@guider_of.register(PerpendicularGuidance)
def _perpendicular(recipe: PerpendicularGuidance, network: OpenedNetwork) -> Model:
    prompts = (recipe.positive, recipe.negative, recipe.empty)
    return PerpendicularGuider(network, *prompts, recipe.scale, recipe.denoiser.noise, recipe.negative_scale)


@guider_of.register(DualGuidance)
def _dual(recipe: DualGuidance, network: OpenedNetwork) -> Model:
    prompts = (recipe.positive, recipe.middle, recipe.negative)
    return DualGuider(network, *prompts, recipe.scale, recipe.middle_scale, recipe.denoiser.noise)


@guider_of.register(PerturbedAttentionGuidance)
@guider_of.register(SkipLayerGuidance)
def _weakened(recipe: PerturbedAttentionGuidance | SkipLayerGuidance, network: OpenedNetwork) -> Model:
    weaken = SkippedLayers if isinstance(recipe, SkipLayerGuidance) else PerturbedAttention
    return WeakenedGuider(
        network,
        weaken(network, recipe.layers),
        recipe.positive,
        recipe.negative,
        recipe.scale,
        recipe.weakened_scale,
        recipe.denoiser.noise,
    )


@guider_of.register(RangedGuidance)
def _ranged(recipe: RangedGuidance, network: OpenedNetwork) -> Model:
    inside, outside = guider_of(recipe.inside, network), guider_of(recipe.outside, network)
    return RangedGuider(inside, outside, recipe.start, recipe.end, recipe.denoiser.noise)
