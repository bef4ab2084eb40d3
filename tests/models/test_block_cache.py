"""DeepCache: short steps cost little and use what the last full step found; a call that it would not fit is computed in full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.appliers import PATCHES
from graphflow.models.block_cache import DeepFeatures
from graphflow.models.patches import Undo
from graphflow.ports import BlockCachePatch


class NoFiles:
    """This patch brings no files."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        raise ModelError(f"no file {file}")


def cached(unet: nn.Module, interval: int = 3, depth: int = 1) -> Undo:
    return PATCHES.apply(unet, [BlockCachePatch(interval, depth)], NoFiles())


@pytest.fixture(scope="module", autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    """Three levels; two layers a level."""
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 16, 32),
        norm_num_groups=8,
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=8,
    )
    return network.eval().requires_grad_(False)


class Counter:
    """How often each part of a network computes."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self.calls: dict[str, int] = {}
        self.handles = [
            layer.register_forward_hook(lambda *_, name=name: self.calls.update({name: self.calls.get(name, 0) + 1}))
            for name, layer in unet.named_modules()
            if isinstance(layer, nn.Conv2d)
        ]

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()


SAMPLE = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
TOKENS = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(2))


def predict(
    unet: UNet2DConditionModel, timestep: float, sample: Tensor = SAMPLE, tokens: Tensor = TOKENS, **more: object
) -> Tensor:
    answer: Tensor = unet(sample, torch.tensor(timestep), encoder_hidden_states=tokens, return_dict=False, **more)[0]
    return answer


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_short_step_with_nothing_new_is_the_full_one(unet: UNet2DConditionModel, depth: int) -> None:
    """At (nearly) the same timestep with the same latents the kept feature is the right one, whatever is computed anew."""
    exact = predict(unet, 500.0)
    undo = cached(unet, depth=depth)
    assert torch.equal(predict(unet, 500.0), exact)
    short = predict(unet, 499.999)
    undo()
    torch.testing.assert_close(short, exact, rtol=1e-4, atol=1e-4)
    assert torch.equal(predict(unet, 500.0), exact)


def test_short_steps_compute_the_outermost_layers_only(unet: UNet2DConditionModel) -> None:
    undo, counter = cached(unet, interval=3, depth=2), Counter(unet)
    for step in range(6):
        predict(unet, 900.0 - 100 * step)
    counter.close()
    undo()
    every_step = {name for name, count in counter.calls.items() if count == 6}
    assert set(counter.calls.values()) == {2, 6}
    outer = ("conv_in", "conv_out", "down_blocks.0.resnets.0", "down_blocks.0.attentions.0", "up_blocks.2.resnets.1",
             "up_blocks.2.resnets.2", "up_blocks.2.attentions.1", "up_blocks.2.attentions.2")  # fmt: skip
    assert every_step == {name for name in counter.calls if name.startswith(outer)}


def test_short_steps_follow_the_latents(unet: UNet2DConditionModel) -> None:
    undo = cached(unet)
    first = predict(unet, 900.0)
    short = predict(unet, 800.0, SAMPLE * 0.5)
    undo()
    exact = predict(unet, 800.0, SAMPLE * 0.5)
    assert not torch.allclose(short, first)
    assert not torch.equal(short, exact)


def full_calls(unet: UNet2DConditionModel, *calls: tuple[float, Tensor, Tensor], interval: int = 9) -> list[bool]:
    """Which of several calls compute the deep layers."""
    undo, counter = cached(unet, interval=interval), Counter(unet)
    found, before = [], 0
    for timestep, sample, tokens in calls:
        predict(unet, timestep, sample, tokens)
        now = counter.calls.get("mid_block.resnets.0.conv1", 0)
        found.append(now > before)
        before = now
    counter.close()
    undo()
    return found


def test_another_prompt_or_size_or_batch_is_computed_in_full(unet: UNet2DConditionModel) -> None:
    wide = torch.randn(2, 4, 16, 24)
    calls = [(900.0, SAMPLE, TOKENS), (800.0, SAMPLE, TOKENS), (700.0, SAMPLE, -TOKENS), (600.0, SAMPLE, -TOKENS),
             (500.0, wide, -TOKENS), (400.0, wide[:1], -TOKENS[:1]), (300.0, wide[:1], -TOKENS[:1])]  # fmt: skip
    assert full_calls(unet, *calls) == [True, False, True, False, True, True, False]


def test_each_of_several_calls_at_a_timestep_has_its_own_feature(unet: UNet2DConditionModel) -> None:
    calls = [(t, SAMPLE, tokens) for t in (900.0, 800.0, 700.0, 600.0) for tokens in (TOKENS, -TOKENS)]
    assert full_calls(unet, *calls, interval=2) == [True, True, False, False, True, True, False, False]


def test_a_call_that_was_not_made_for_long_is_computed_in_full(unet: UNet2DConditionModel) -> None:
    calls = [(900.0, SAMPLE, TOKENS), (900.0, SAMPLE, -TOKENS), (800.0, SAMPLE, TOKENS), (700.0, SAMPLE, TOKENS),
             (600.0, SAMPLE, TOKENS), (600.0, SAMPLE, -TOKENS)]  # fmt: skip
    assert full_calls(unet, *calls, interval=2) == [True, True, False, True, False, True]


def test_another_sampling_begins_in_full(unet: UNet2DConditionModel) -> None:
    calls = [(900.0, SAMPLE, TOKENS), (500.0, SAMPLE, TOKENS), (700.0, SAMPLE, TOKENS), (400.0, SAMPLE, TOKENS)]
    assert full_calls(unet, *calls) == [True, False, True, False]


def test_a_sampler_that_goes_back_to_a_timestep_finds_its_features(unet: UNet2DConditionModel) -> None:
    """Heun's method ends each step at the timestep where the next one begins."""
    visited = [900.0, 800.0, 800.0, 700.0, 700.0, 600.0]
    assert full_calls(unet, *((t, SAMPLE, TOKENS) for t in visited)) == [True, False, True, False, False, False]


@pytest.mark.parametrize("size", [16, 20])
def test_a_controlnet_steers_full_and_short_steps(unet: UNet2DConditionModel, size: int) -> None:
    """Also where sides do not halve evenly, and the UNet hands sizes on."""
    torch.manual_seed(3)
    controlnet = ControlNetModel.from_unet(unet).eval()
    for parameter in controlnet.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.05)
    sample = torch.randn(2, 4, size, size)

    def steered(timestep: float) -> Tensor:
        picture = torch.rand(2, 3, 8 * size, 8 * size, generator=torch.Generator().manual_seed(4))
        down, middle = controlnet(sample, timestep, TOKENS, picture, return_dict=False)
        return predict(
            unet, timestep, sample, down_block_additional_residuals=down, mid_block_additional_residual=middle
        )

    exact, plain = steered(500.0), predict(unet, 500.0, sample)
    undo = cached(unet)
    full, short = steered(500.0), steered(499.999)
    undo()
    assert torch.equal(full, exact)
    torch.testing.assert_close(short, exact, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(short, plain, atol=1e-2)


def test_features_are_let_go_with_the_patch(unet: UNet2DConditionModel) -> None:
    undo = cached(unet)
    predict(unet, 500.0)
    undo()
    assert not unet._forward_pre_hooks
    assert not any("forward" in layer.__dict__ for layer in unet.modules())


def test_levels_without_attention_and_few_layers_work_too() -> None:
    torch.manual_seed(0)
    small = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), norm_num_groups=8, layers_per_block=1, cross_attention_dim=12,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()  # fmt: skip
    for depth in (1, 2):
        exact = predict(small, 500.0)
        undo = cached(small, depth=depth)
        predict(small, 500.0)
        torch.testing.assert_close(predict(small, 499.999), exact, rtol=1e-4, atol=1e-4)
        undo()


def test_an_impossible_depth_and_another_network_are_refused(unet: UNet2DConditionModel) -> None:
    with pytest.raises(
        ModelMismatch, match="depth 4 does not fit: the outermost level of this model has 3 layers; use 1 to 3"
    ):
        cached(unet, depth=4)  # fmt: skip
    with pytest.raises(ModelMismatch, match="knows UNets of two levels and more, and this model is a Linear"):
        cached(nn.Linear(2, 2))
    assert not unet._forward_pre_hooks


def test_an_interval_of_one_is_never_short() -> None:
    calls = DeepFeatures(1)
    for timestep in (3.0, 2.0, 1.0):
        calls.begin(SAMPLE, timestep, TOKENS)
        assert not calls.is_short
        calls.keep(SAMPLE)
