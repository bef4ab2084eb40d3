from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import CfgGuider, Network, UNetDenoiser, cfg
from graphflow.diffusion.guidance import BatchConditioning, predict, schedule_share
from graphflow.ports import Conditioning, ConditioningEntry, Mask, NoiseSpec

SD15 = NoiseSpec()
NOON = torch.tensor(500)
Prompts = tuple[Conditioning, Conditioning]


class Echo:
    """A network that predicts, everywhere, the mean of the tokens; and counts its calls."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        self.batches.append(len(latents))
        assert len(conditioning.tokens) == len(latents)
        return conditioning.tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1).expand_as(latents)


class Counted:
    """A network that counts its calls, and whose tokens have no order, as cross-attention's."""

    unordered_tokens = True

    def __init__(self, network: Network) -> None:
        self.network = network
        self.batches: list[int] = []

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        self.batches.append(len(latents))
        return self.network(latents, timestep, conditioning)


def saying(value: float, *, tokens: int = 3, **options: Any) -> ConditioningEntry:
    return ConditioningEntry(torch.full((1, tokens, 2), value), **options)


def told(*entries: ConditioningEntry) -> Conditioning:
    return Conditioning(entries)


def guided(
    positive: Conditioning, negative: Conditioning | None = None, *, scale: float = 1.0, timestep: Tensor = NOON
) -> Tensor:
    return CfgGuider(Echo(), positive, negative, scale, SD15)(torch.zeros(2, 4, 4, 8), timestep)


def test_one_batch_gives_what_two_passes_give(unet: Any, prompts: Prompts, noise: Tensor) -> None:
    network = UNetDenoiser(unet)
    positive, negative = prompts
    together = CfgGuider(network, positive, negative, 5.0, SD15)(noise, NOON)
    cond, uncond = (CfgGuider(network, side, None, 1.0, SD15)(noise, NOON) for side in prompts)
    torch.testing.assert_close(together, cfg(uncond, cond, 5.0), rtol=1e-5, atol=1e-5)


def test_guidance_goes_from_negative_through_positive() -> None:
    assert guided(told(saying(3.0)), told(saying(1.0)), scale=4.0).unique().tolist() == [9.0]


def test_negative_comes_first_in_one_batch() -> None:
    echo = Echo()
    CfgGuider(echo, told(saying(3.0)), told(saying(1.0)), 4.0, SD15)(torch.zeros(2, 4, 4, 4), NOON)
    assert echo.batches == [4]


def test_guidance_of_one_does_not_ask_the_negative_prompt() -> None:
    echo = Echo()
    result = CfgGuider(echo, told(saying(3.0)), told(saying(1.0)), 1.0, SD15)(torch.zeros(2, 4, 4, 4), NOON)
    assert echo.batches == [2]
    assert result.unique().tolist() == [3.0]


@pytest.mark.parametrize(("scale", "mixed"), [(0.0, 1.0), (0.5, 2.0)])
def test_guidance_below_one_mixes_both_prompts(scale: float, mixed: float) -> None:
    assert guided(told(saying(3.0)), told(saying(1.0)), scale=scale).unique().tolist() == [mixed]


def test_prompts_of_different_lengths_go_in_passes_of_their_own() -> None:
    echo = Echo()
    result = CfgGuider(echo, told(saying(3.0, tokens=7)), told(saying(1.0)), 2.0, SD15)(torch.zeros(2, 4, 4, 4), NOON)
    assert echo.batches == [2, 2]
    assert result.unique().tolist() == [5.0]


@pytest.mark.parametrize("lengths", [(77, 154), (154, 77), (10, 15), (5, 5)])
def test_prompts_of_different_lengths_share_a_batch_of_a_network_that_attends_to_their_tokens(
    unet: Any, noise: Tensor, lengths: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(6)
    entries = [ConditioningEntry(torch.randn(1, length, 8, generator=generator)) for length in lengths]
    network = Counted(UNetDenoiser(unet))
    together = predict(network, noise, NOON, entries)
    assert network.batches == [4]
    alone = [predict(network, noise, NOON, [entry])[0] for entry in entries]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_prompts_that_would_be_repeated_too_often_do_not_share_a_batch(unet: Any, noise: Tensor) -> None:
    network = Counted(UNetDenoiser(unet))
    predict(network, noise, NOON, [ConditioningEntry(torch.zeros(1, length, 8)) for length in (77, 80)])
    assert network.batches == [2, 2]


def test_overlapping_prompts_are_averaged_by_strength() -> None:
    assert guided(told(saying(0.0), saying(4.0, strength=3.0))).unique().tolist() == [3.0]


def test_an_area_applies_inside_only() -> None:
    left = saying(4.0, area=(0.0, 0.0, 0.5, 1.0))
    result = guided(told(saying(0.0), left))
    assert torch.all(result[..., :4] == 2.0)
    assert torch.all(result[..., 4:] == 0.0)


def test_masks_share_the_picture() -> None:
    inside = torch.zeros(1, 8, 16)
    inside[:, :, :8] = 1.0
    result = guided(told(saying(1.0, mask=Mask(inside)), saying(2.0, mask=Mask(1 - inside))))
    assert torch.all(result[..., :4] == 1.0)
    assert torch.all(result[..., 4:] == 2.0)


@pytest.mark.parametrize(("timestep", "value"), [(999, 1.0), (700, 1.0), (499, 2.0), (0, 2.0)])
def test_prompts_follow_each_other_along_the_schedule(timestep: int, value: float) -> None:
    relay = told(saying(1.0, end=0.5), saying(2.0, start=0.5))
    assert guided(relay, timestep=torch.tensor(timestep)).unique().tolist() == [value]


def test_the_schedule_runs_from_zero_to_one() -> None:
    shares = [schedule_share(torch.tensor(timestep), SD15) for timestep in (1000, 999, 0)]
    assert shares == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        (told(), told(saying(1.0)), "positive conditioning has no entry"),
        (told(saying(1.0)), None, "guidance 2 needs a negative conditioning"),
        (told(saying(1.0)), told(), "guidance 2 needs a negative conditioning"),
        (told(saying(1.0, end=0.1)), told(saying(1.0)), r"no positive prompt applies at 0.50 .* from 0 to 0.1"),
        (told(saying(1.0)), told(saying(1.0, start=0.9)), "no negative prompt applies"),
        (told(saying(1.0, area=(0, 0, 0.5, 1))), told(saying(1.0)), "50% of the picture has no prompt"),
        (told(saying(1.0, strength=0.0)), told(saying(1.0)), "100% of the picture has no prompt"),
        (told(saying(1.0, strength=-1.0)), told(saying(1.0)), "strength -1 of a prompt is negative"),
        (told(saying(1.0, area=(0.5, 0, 0.2, 1))), told(saying(1.0)), "is not inside the picture"),
    ],
)
def test_what_leaves_a_gap_is_refused(positive: Conditioning, negative: Conditioning | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        guided(positive, negative, scale=2.0)


def test_conditioning_of_another_batch_is_refused() -> None:
    entry = replace(saying(1.0), tokens=torch.zeros(3, 3, 2))
    with pytest.raises(ValueError, match="conditioning of 3 pictures does not fit 2 latents"):
        guided(told(entry))


def test_networks_refuse_what_they_were_not_made_for(unet: Any, prompts: Prompts, noise: Tensor) -> None:
    network, tokens = UNetDenoiser(unet), prompts[0].entries[0].tokens.expand(2, -1, -1)
    with pytest.raises(ValueError, match="latents of 3 channels do not fit a denoiser that takes 4"):
        network(noise[:, :3], NOON, BatchConditioning(tokens))
    with pytest.raises(ValueError, match="conditioning 4 wide does not fit a denoiser that takes 8"):
        network(noise, NOON, BatchConditioning(tokens[..., :4]))
    with pytest.raises(ValueError, match="no extra conditioning, but was given sizes"):
        network(noise, NOON, BatchConditioning(tokens, extra={"sizes": noise}))


def test_latents_of_any_size_are_taken(unet: Any, prompts: Prompts) -> None:
    latents = torch.zeros(1, 4, 1, 5)
    answer = UNetDenoiser(unet)(latents, NOON, BatchConditioning(prompts[0].entries[0].tokens))
    assert answer.shape == latents.shape


def test_a_network_runs_in_its_own_precision_and_layout(unet: Any, prompts: Prompts, noise: Tensor) -> None:
    import copy

    half = copy.deepcopy(unet).to(torch.bfloat16, memory_format=torch.channels_last)
    seen: list[Tensor] = []
    half.conv_in.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    tokens = prompts[0].entries[0].tokens.expand(2, -1, -1)
    answer = UNetDenoiser(half)(noise, NOON, BatchConditioning(tokens))
    assert seen[0].dtype == torch.bfloat16
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert answer.dtype == torch.float32
    assert answer.is_contiguous()
    expected = UNetDenoiser(unet)(noise, NOON, BatchConditioning(tokens))
    assert float((answer - expected).norm() / expected.norm()) < 0.05
