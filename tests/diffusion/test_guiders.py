from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import CfgGuider, UNetDenoiser
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.diffusion.guiders import (
    DualGuider,
    PerpendicularGuider,
    RangedGuider,
    RescaledGuider,
    WeakenedGuider,
    away_from,
    dual,
    perpendicular,
    rescaled,
)
from graphflow.diffusion.weakened import IdentityAttention, PerturbedAttention
from graphflow.ports import Conditioning, ConditioningEntry, NoiseSpec

SD15 = NoiseSpec()
NOON = torch.tensor(500)


def told(value: float) -> Conditioning:
    return Conditioning((ConditioningEntry(torch.full((1, 3, 2), value)),))


NOTHING = Conditioning(())
POSITIVE, NEGATIVE, EMPTY = told(3.0), told(-1.0), told(0.0)


class Shouting:
    """A network that predicts its latents times the mean of the tokens; and counts its calls."""

    def __init__(self, loudness: float = 1.0) -> None:
        self.loudness = loudness
        self.batches: list[int] = []

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        self.batches.append(len(latents))
        return latents * conditioning.tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1) * self.loudness


@pytest.fixture
def noise() -> Tensor:
    return torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(3))


def test_rescaling_gives_the_guided_prediction_the_contrast_of_the_conditional_one(noise: Tensor) -> None:
    guided = 4 * noise + 1
    assert rescaled(guided, noise, 0.0) is not guided
    torch.testing.assert_close(rescaled(guided, noise, 0.0), guided)
    axes = (1, 2, 3)
    torch.testing.assert_close(rescaled(guided, noise, 1.0).std(axes), noise.std(axes))
    torch.testing.assert_close(rescaled(guided, noise, 0.5).std(axes), 2.5 * noise.std(axes))


def test_a_rescaled_guider_asks_once_for_both_prompts(noise: Tensor) -> None:
    network = Shouting()
    answer = RescaledGuider(network, POSITIVE, NEGATIVE, 5.0, SD15, share=1.0)(noise, NOON)
    assert network.batches == [4]
    torch.testing.assert_close(answer, 3 * noise)
    plain = RescaledGuider(network, POSITIVE, NEGATIVE, 5.0, SD15, share=0.0)(noise, NOON)
    torch.testing.assert_close(plain, CfgGuider(network, POSITIVE, NEGATIVE, 5.0, SD15)(noise, NOON))


def test_what_a_negative_prompt_shares_with_the_positive_one_is_kept() -> None:
    empty = torch.zeros(1, 1, 1, 2)
    wanted = torch.tensor([2.0, 0.0]).reshape(1, 1, 1, 2)
    both = torch.tensor([5.0, 1.0]).reshape(1, 1, 1, 2)
    answer = perpendicular(empty, wanted, both, scale=3.0, negative_scale=0.5)
    assert answer.flatten().tolist() == [6.0, -1.5]
    same = perpendicular(empty, wanted, 4 * wanted, scale=3.0, negative_scale=1.0)
    torch.testing.assert_close(same, 3 * wanted)
    assert torch.equal(perpendicular(empty, empty, empty, scale=3.0, negative_scale=1.0), empty)


def test_a_perpendicular_guider_asks_once_for_three_prompts(noise: Tensor) -> None:
    network = Shouting()
    answer = PerpendicularGuider(network, POSITIVE, NEGATIVE, EMPTY, 2.0, SD15)(noise, NOON)
    assert network.batches == [6]
    torch.testing.assert_close(answer, 6 * noise)


def test_dual_guidance_is_plain_guidance_where_both_strengths_agree(noise: Tensor) -> None:
    torch.testing.assert_close(dual(noise, 2 * noise, 3 * noise, scale=4.0, middle_scale=4.0), 9 * noise)
    network = Shouting()
    answer = DualGuider(network, POSITIVE, EMPTY, NEGATIVE, 2.0, 5.0, SD15)(noise, NOON)
    assert network.batches == [6]
    torch.testing.assert_close(answer, (-1 + 5 * 1 + 2 * 3) * noise)


def test_a_weakened_network_is_guided_away_from(noise: Tensor) -> None:
    torch.testing.assert_close(away_from(5 * noise, 3 * noise, noise, 0.5), 6 * noise)
    network, weakened = Shouting(), Shouting(0.5)
    answer = WeakenedGuider(network, weakened, POSITIVE, NEGATIVE, 2.0, 3.0, SD15)(noise, NOON)
    torch.testing.assert_close(answer, (7 + 3 * 1.5) * noise)
    assert (network.batches, weakened.batches) == ([4], [2])


def test_the_weakened_network_is_not_asked_in_vain(noise: Tensor) -> None:
    network, weakened = Shouting(), Shouting(0.5)
    answer = WeakenedGuider(network, weakened, POSITIVE, None, 1.0, 0.0, SD15)(noise, NOON)
    torch.testing.assert_close(answer, 3 * noise)
    assert (network.batches, weakened.batches) == ([2], [])


@pytest.mark.parametrize(
    ("timestep", "guided"), [(999, False), (800, False), (799, True), (500, True), (399, False), (0, False)]
)
def test_guidance_keeps_to_its_range(timestep: int, guided: bool, noise: Tensor) -> None:
    inside, outside = (lambda latents, timestep: latents + 1), (lambda latents, timestep: latents)
    answer = RangedGuider(inside, outside, 0.2, 0.6, SD15)(noise, torch.tensor(timestep))
    assert torch.equal(answer, noise + 1 if guided else noise)


def test_a_range_up_to_one_has_the_very_end() -> None:
    guider = RangedGuider(torch.add, torch.sub, 0.5, 1.0, SD15)
    assert float(guider(torch.tensor(3.0), torch.tensor(0))) == 3.0
    assert float(guider(torch.tensor(999.0), torch.tensor(999))) == 0.0


def test_attention_is_switched_off_for_the_weakened_calls_only(unet: Any, prompts: Any) -> None:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    conditioning = BatchConditioning(prompts[0].entries[0].tokens)
    whole = UNetDenoiser(unet)
    processors = {name: module.processor for name, module in unet.named_modules() if hasattr(module, "processor")}
    before = whole(latents, NOON, conditioning)
    weak = PerturbedAttention(whole, ("mid_block", "down_blocks.0"))(latents, NOON, conditioning)
    assert float((weak - before).abs().max()) > 1e-5
    assert torch.equal(whole(latents, NOON, conditioning), before)
    assert {
        name: module.processor for name, module in unet.named_modules() if hasattr(module, "processor")
    } == processors


def test_attention_comes_back_after_a_failed_call(unet: Any) -> None:
    before = unet.mid_block.attentions[0].transformer_blocks[0].attn1.processor
    with pytest.raises(ValueError, match="do not fit a denoiser"):
        PerturbedAttention(UNetDenoiser(unet))(torch.zeros(1, 3, 8, 8), NOON, BatchConditioning(torch.zeros(1, 1, 8)))
    assert unet.mid_block.attentions[0].transformer_blocks[0].attn1.processor is before


def test_pixels_that_look_at_themselves_alone_are_one_pixel_each(unet: Any) -> None:
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    alone = torch.randn(3, 1, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(IdentityAttention()(attention, alone), attention(alone))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda unet: RescaledGuider(Shouting(), NOTHING, EMPTY, 2.0, SD15), "positive conditioning has no entry"),
        (lambda unet: RescaledGuider(Shouting(), EMPTY, EMPTY, 2.0, SD15, share=2.0), "rescaling of 2 is out of range"),
        (
            lambda unet: PerpendicularGuider(Shouting(), EMPTY, EMPTY, NOTHING, 2.0, SD15),
            "the empty conditioning has no",
        ),
        (lambda unet: DualGuider(Shouting(), EMPTY, NOTHING, EMPTY, 2.0, 2.0, SD15), "the middle conditioning has no"),
        (
            lambda unet: WeakenedGuider(Shouting(), Shouting(), EMPTY, None, 2.0, 1.0, SD15),
            "needs a negative conditioning",
        ),
        (lambda unet: RangedGuider(torch.add, torch.sub, 0.5, 0.5, SD15), "is no range; use 0 to 1"),
        (
            lambda unet: PerturbedAttention(UNetDenoiser(unet), ("attic",)),
            "no self-attention in attic; it has some in down_b",
        ),
    ],
)
def test_guiders_that_cannot_work_are_refused_when_they_are_made(build: Any, message: str, unet: Any) -> None:
    with pytest.raises(ValueError, match=message):
        build(unet)
