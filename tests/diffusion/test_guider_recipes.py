from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import CfgGuider, RescaledGuider, UNetDenoiser, guider_of, opened_guider, ranged
from graphflow.diffusion.guider_recipes import prompts_of, with_sizes
from graphflow.diffusion.text_sdxl import TIME_IDS
from graphflow.ports import (
    CfgGuidance,
    Conditioning,
    Denoiser,
    DualGuidance,
    Guider,
    NoiseSpec,
    PerpendicularGuidance,
    PerturbedAttentionGuidance,
    SkipLayerGuidance,
)
from graphflow.testing import FakeModels

NOON = torch.tensor(500)
DENOISER = Denoiser("tiny", "0", "sd15", "unet")
SIZE = {"width": 16, "height": 16}
Prompts = tuple[Conditioning, Conditioning]
Ask = Callable[..., Tensor]


@pytest.fixture
def ask(unet: Any, noise: Tensor) -> Ask:
    """What a recipe predicts on the tiny network."""

    def ask(recipe: Guider, timestep: Tensor = NOON) -> Tensor:
        with torch.no_grad(), opened_guider(FakeModels({"unet": unet}), recipe, **SIZE) as guider:
            return guider(noise, timestep)

    return ask


def test_guidance_is_that_of_the_guider(ask: Ask, unet: Any, prompts: Prompts, noise: Tensor) -> None:
    with torch.no_grad():
        expected = CfgGuider(UNetDenoiser(unet), *prompts, 4.0, NoiseSpec())(noise, NOON)
        taken_back = RescaledGuider(UNetDenoiser(unet), *prompts, 4.0, NoiseSpec(), 0.7)(noise, NOON)
    assert torch.equal(ask(CfgGuidance(DENOISER, *prompts, 4.0)), expected)
    assert torch.equal(ask(CfgGuidance(DENOISER, *prompts, 4.0, rescale=0.7)), taken_back)


@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_guidance_of_one_is_the_positive_prompt_alone(ask: Ask, prompts: Prompts, rescale: float) -> None:
    alone = ask(CfgGuidance(DENOISER, prompts[0], scale=1.0))
    assert torch.equal(ask(CfgGuidance(DENOISER, *prompts, 1.0, rescale)), alone)


def test_every_method_agrees_with_plain_guidance_where_it_adds_nothing(ask: Ask, prompts: Prompts) -> None:
    positive, negative = prompts
    plain = ask(CfgGuidance(DENOISER, positive, negative, 3.0))
    same = [
        PerpendicularGuidance(DENOISER, positive, negative, empty=negative, scale=3.0),
        DualGuidance(DENOISER, positive, negative, negative, scale=3.0, middle_scale=7.0),
        PerturbedAttentionGuidance(DENOISER, positive, negative, 3.0, weakened_scale=0.0),
        SkipLayerGuidance(DENOISER, positive, negative, 3.0, weakened_scale=0.0),
        ranged(CfgGuidance(DENOISER, positive, negative, 3.0), None, start=0.0, end=1.0),
    ]
    for recipe in same:
        torch.testing.assert_close(ask(recipe), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", [PerturbedAttentionGuidance, SkipLayerGuidance])
def test_weakened_guidance_goes_on_beyond_plain_guidance(ask: Ask, prompts: Prompts, method: Any) -> None:
    plain = ask(CfgGuidance(DENOISER, *prompts, 3.0))
    once, twice = (ask(method(DENOISER, *prompts, 3.0, scale)) - plain for scale in (1.0, 2.0))
    assert float(once.abs().max()) > 1e-5
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-5)
    assert torch.equal(ask(CfgGuidance(DENOISER, *prompts, 3.0)), plain)


def test_layers_that_the_model_lacks_are_named(ask: Ask, prompts: Prompts) -> None:
    with pytest.raises(ValueError, match=r"no transformer block in attic; it has some in down_blocks\.0, mid_block"):
        ask(SkipLayerGuidance(DENOISER, *prompts, layers=("mid_block", "attic")))


def test_outside_of_the_range_the_positive_prompt_is_alone(ask: Ask, prompts: Prompts) -> None:
    guidance = CfgGuidance(DENOISER, *prompts, 4.0)
    recipe = ranged(guidance, None, start=0.2, end=0.6)
    early, late = torch.tensor(900), torch.tensor(100)
    assert torch.equal(ask(recipe), ask(guidance))
    for timestep in (early, late):
        assert torch.equal(ask(recipe, timestep), ask(replace(guidance, scale=1.0), timestep))


def test_ranges_go_into_one_another(ask: Ask, prompts: Prompts) -> None:
    strong, weak = (CfgGuidance(DENOISER, *prompts, scale) for scale in (8.0, 2.0))
    recipe = ranged(ranged(strong, weak, start=0.0, end=0.4), None, start=0.0, end=0.8)
    assert list(prompts_of(recipe)).count(prompts[0]) == 3
    assert torch.equal(ask(recipe, torch.tensor(900)), ask(strong, torch.tensor(900)))
    assert torch.equal(ask(recipe), ask(weak))


def test_two_models_cannot_share_a_schedule_by_ranges(prompts: Prompts) -> None:
    other = CfgGuidance(replace(DENOISER, file="other"), *prompts)
    with pytest.raises(ValueError, match=r'inside the range "tiny" would guide, outside "other".*use refine_stage'):
        ranged(CfgGuidance(DENOISER, *prompts), other, start=0.0, end=0.5)
    with pytest.raises(ValueError, match="the end must be above the start"):
        ranged(CfgGuidance(DENOISER, *prompts), None, start=0.5, end=0.5)


def test_all_prompts_get_the_size_of_the_picture(prompts: Prompts) -> None:
    positive, negative = prompts
    refiner = replace(DENOISER, family="sdxl_refiner")
    inside = PerpendicularGuidance(refiner, positive, negative, empty=negative)
    sized = with_sizes(ranged(inside, None, start=0.0, end=0.5), width=32, height=16)
    ids = [prompt.entries[0].extra[TIME_IDS].tolist() for prompt in prompts_of(sized)]
    assert ids == [[[16, 32, 0, 0, score]] for score in (6.0, 2.5, 6.0, 6.0)]
    assert not positive.entries[0].extra


def test_a_pack_can_bring_guidance_of_its_own(ask: Ask, prompts: Prompts) -> None:
    @dataclass(frozen=True, eq=False)
    class Halved(Guider):
        positive: Conditioning

    with pytest.raises(ValueError, match="nothing here guides by Halved"):
        ask(Halved(DENOISER, prompts[0]))
    guider_of.register(Halved)(
        lambda recipe, network: (
            lambda latents, timestep: CfgGuider(network, recipe.positive, None, 1.0, NoiseSpec())(latents, timestep) / 2
        )
    )
    torch.testing.assert_close(ask(Halved(DENOISER, prompts[0])), ask(CfgGuidance(DENOISER, prompts[0], scale=1.0)) / 2)


def test_what_has_no_positive_prompt_needs_a_guider_for_outside() -> None:
    with pytest.raises(ValueError, match="link a guider for outside of the range"):
        ranged(Guider(DENOISER), None, start=0.0, end=0.5)
