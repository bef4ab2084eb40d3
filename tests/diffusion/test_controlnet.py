from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
    UNet2DConditionModel,
)
from torch import Tensor

from graphflow.diffusion import (
    CfgGuider,
    Steering,
    UNetDenoiser,
    left_latents,
    make_schedule,
    opened_network,
    sample,
    start_latents,
    steered,
)
from graphflow.diffusion.controlnet import fitted
from graphflow.diffusion.guidance import BatchConditioning, predict
from graphflow.errors import ModelMismatch
from graphflow.ports import Conditioning, ConditioningEntry, Control, ControlNet, Denoiser, LoraPatch, Mask, NoiseSpec
from graphflow.testing import FakeModels

WIDTH = 8
SD15 = NoiseSpec()
NOON = torch.tensor(500)
EDGES, DEPTH = ControlNet("edges", "0", "sd15", "controlnet"), ControlNet("depth", "1", "sd15", "controlnet")
Prompts = tuple[Conditioning, Conditioning]


def make_controlnet(unet: Any, seed: int) -> Any:
    """A ControlNet for a tiny UNet, whose zero convolutions are not zero."""
    torch.manual_seed(seed)
    network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8)).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.startswith("controlnet_"):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture(scope="session")
def controlnets(unet: Any) -> dict[ControlNet, Any]:
    return {EDGES: make_controlnet(unet, 5), DEPTH: make_controlnet(unet, 6)}


@pytest.fixture
def network(unet: Any, controlnets: dict[ControlNet, Any]) -> UNetDenoiser:
    return UNetDenoiser(unet, Steering(controlnets, SD15, reduction=2))


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(7))


@contextmanager
def counting(controlnet: Any) -> Iterator[list[int]]:
    """Rows of each call of a ControlNet."""
    rows: list[int] = []
    handle = controlnet.register_forward_pre_hook(lambda module, given: rows.append(len(given[0])))
    try:
        yield rows
    finally:
        handle.remove()


def both(prompts: Prompts, *controls: Control) -> Prompts:
    for control in controls:
        prompts = steered(prompts[0], control), steered(prompts[1], control)
    return prompts


def difference(one: Tensor, other: Tensor) -> float:
    return float(((one - other).norm() / other.norm()).detach())


@pytest.mark.parametrize("is_guessing", [False, True])
def test_two_controlnets_equal_the_pipeline_of_diffusers(
    pipeline: Any, controlnets: dict[ControlNet, Any], network: UNetDenoiser, prompts: Prompts, is_guessing: bool
) -> None:
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(7))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    parts = {name: part for name, part in pipeline.components.items() if name != "image_encoder"}
    parts["scheduler"] = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    reference = StableDiffusionControlNetPipeline(
        **parts, controlnet=list(controlnets.values()), requires_safety_checker=False
    )
    reference.set_progress_bar_config(disable=True)
    expected = reference(
        image=[pictures[:1], pictures[1:]],
        prompt_embeds=prompts[0].entries[0].tokens,
        negative_prompt_embeds=prompts[1].entries[0].tokens,
        controlnet_conditioning_scale=[0.7, 1.2],
        control_guidance_start=[0.0, 0.5],
        control_guidance_end=[0.5, 1.0],
        guess_mode=is_guessing,
        num_inference_steps=4,
        guidance_scale=4.0,
        latents=noise,
        output_type="latent",
    ).images

    controls = (
        Control(EDGES, pictures[:1], strength=0.7, end=0.5, rising=is_guessing),
        Control(DEPTH, pictures[1:], strength=1.2, start=0.5, rising=is_guessing),
    )
    positive, negative = both(prompts, *controls)
    guider = CfgGuider(network, positive, prompts[1] if is_guessing else negative, 4.0, SD15)
    schedule = make_schedule(SD15, "euler", steps=4)
    result = sample(guider, start_latents(torch.zeros_like(noise), noise, schedule), schedule)
    assert difference(left_latents(result, schedule), expected) < 1e-4
    unsteered = sample(
        CfgGuider(network, *prompts, 4.0, SD15), start_latents(torch.zeros_like(noise), noise, schedule), schedule
    )
    assert difference(unsteered, result) > 0.05


def test_a_controlnet_of_xl_equals_the_pipeline_of_diffusers(vae: Any) -> None:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, sample_size=8, norm_num_groups=4, cross_attention_dim=WIDTH,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2), attention_head_dim=(1, 2), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 + 6 * 4,
    ).eval()  # fmt: skip
    recipe = replace(EDGES, family="sdxl")
    controlnet = make_controlnet(unet, 5)
    generator = torch.Generator().manual_seed(1)
    tokens, pooled = torch.randn(2, 5, WIDTH, generator=generator), torch.randn(2, 6, generator=generator)
    picture, noise = torch.rand(1, 3, 16, 16, generator=generator), torch.randn(1, 4, 8, 8, generator=generator)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    reference = StableDiffusionXLControlNetPipeline(
        vae, None, None, None, None, unet, controlnet, scheduler, add_watermarker=False
    )
    reference.set_progress_bar_config(disable=True)
    expected = reference(
        image=picture,
        prompt_embeds=tokens[:1], negative_prompt_embeds=tokens[1:],
        pooled_prompt_embeds=pooled[:1], negative_pooled_prompt_embeds=pooled[1:],
        controlnet_conditioning_scale=0.8, num_inference_steps=3, guidance_scale=4.0, latents=noise.clone(),
        original_size=(16, 16), target_size=(16, 16), output_type="latent",
    ).images  # fmt: skip

    sizes = torch.tensor([[16.0, 16.0, 0.0, 0.0, 16.0, 16.0]])
    prompts = tuple(
        Conditioning((ConditioningEntry(tokens[i : i + 1], pooled[i : i + 1], {"time_ids": sizes}),)) for i in (0, 1)
    )
    positive, negative = both(prompts, Control(recipe, picture, strength=0.8))  # type: ignore[arg-type]
    network = UNetDenoiser(unet, Steering({recipe: controlnet}, SD15, reduction=2))
    schedule = make_schedule(SD15, "euler", steps=3, kind="normal", spacing="leading")
    result = sample(
        CfgGuider(network, positive, negative, 4.0, SD15),
        start_latents(torch.zeros_like(noise), noise, schedule),
        schedule,
    )
    assert difference(left_latents(result, schedule), expected) < 1e-4


def test_only_steered_rows_go_through_a_controlnet_and_the_rest_share_their_batch(
    network: UNetDenoiser, controlnets: dict[ControlNet, Any], prompts: Prompts, noise: Tensor, picture: Tensor
) -> None:
    steered_prompt = steered(prompts[0], Control(EDGES, picture)).entries[0]
    plain = prompts[1].entries[0]
    with counting(controlnets[EDGES]) as rows, counting(network.unet) as whole:
        together = predict(network, noise, NOON, [plain, steered_prompt])
    assert (rows, whole) == ([2], [4])
    alone = [predict(network, noise, NOON, [entry])[0] for entry in (plain, steered_prompt)]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_what_several_controls_say_adds_up(
    unet: Any, controlnets: dict[ControlNet, Any], noise: Tensor, prompts: Prompts, picture: Tensor
) -> None:
    steering = Steering(controlnets, SD15, reduction=2)
    tokens = prompts[0].entries[0].tokens.expand(2, -1, -1)

    def said(*controls: Control) -> list[Tensor]:
        found = steering.residuals(noise, NOON, BatchConditioning(tokens, controls=[controls, controls]), added=None)
        assert found is not None
        return [*found.down, found.middle]

    one, other, again = Control(EDGES, picture), Control(DEPTH, 1 - picture, strength=0.5), Control(EDGES, 1 - picture)
    expected = [sum(parts) for parts in zip(said(one), said(other), said(again), strict=True)]
    torch.testing.assert_close(said(one, other, again), expected)
    torch.testing.assert_close(said(replace(one, strength=3.0)), [3 * part for part in said(one)])


def test_one_network_is_called_once_for_prompts_that_differ_in_all_else(
    network: UNetDenoiser, controlnets: dict[ControlNet, Any], prompts: Prompts, noise: Tensor, picture: Tensor
) -> None:
    first = steered(prompts[0], Control(EDGES, picture, strength=0.4)).entries[0]
    second = steered(prompts[1], Control(EDGES, torch.zeros(1, 3, 20, 12), rising=True)).entries[0]
    with counting(controlnets[EDGES]) as rows:
        together = predict(network, noise, NOON, [first, second])
    assert rows == [4]
    alone = [predict(network, noise, NOON, [entry])[0] for entry in (first, second)]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "end", "timestep", "is_steered"),
    [(0.0, 0.5, 999, True), (0.0, 0.5, 400, False), (0.6, 1.0, 500, False), (0.6, 1.0, 0, True)],
)
def test_a_control_applies_in_its_part_of_the_schedule(
    network: UNetDenoiser,
    controlnets: dict[ControlNet, Any],
    prompts: Prompts,
    noise: Tensor,
    picture: Tensor,
    start: float,
    end: float,
    timestep: int,
    is_steered: bool,
) -> None:
    entry = steered(prompts[0], Control(EDGES, picture, start=start, end=end)).entries[0]
    with counting(controlnets[EDGES]) as rows:
        (prediction,) = predict(network, noise, torch.tensor(timestep), [entry])
    assert rows == ([2] if is_steered else [])
    (plain,) = predict(network, noise, torch.tensor(timestep), [replace(entry, controls=())])
    assert (difference(prediction, plain) > 1e-3) == is_steered


def test_a_mask_says_where_a_controlnet_steers(
    controlnets: dict[ControlNet, Any], prompts: Prompts, noise: Tensor, picture: Tensor
) -> None:
    steering = Steering(controlnets, SD15, reduction=2)
    left = torch.zeros(1, 16, 16)
    left[..., :8] = 1
    tokens = prompts[0].entries[0].tokens

    def said(mask: Mask | None) -> list[Tensor]:
        controls = [(Control(EDGES, picture, mask=mask),)]
        found = steering.residuals(noise[:1], NOON, BatchConditioning(tokens, controls=controls), added=None)
        assert found is not None
        return [*found.down, found.middle]

    for whole, masked in zip(said(None), said(Mask(left)), strict=True):
        half = whole.shape[-1] // 2
        assert torch.equal(masked[..., :half], whole[..., :half])
        assert masked[..., half:].count_nonzero() == 0


def test_pictures_and_masks_of_a_batch_go_to_their_own_latents(
    network: UNetDenoiser, prompts: Prompts, noise: Tensor
) -> None:
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(8))
    masks = torch.stack([torch.ones(16, 16), torch.zeros(16, 16)])
    (together,) = predict(network, noise, NOON, steered(prompts[0], Control(EDGES, pictures, mask=Mask(masks))).entries)
    for row in (0, 1):
        control = Control(EDGES, pictures[row : row + 1], mask=Mask(masks[row : row + 1]))
        (alone,) = predict(network, noise[row : row + 1], NOON, steered(prompts[0], control).entries)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_are_fitted_without_jagged_edges() -> None:
    lines = torch.zeros(1, 3, 64, 64)
    lines[..., ::4, :] = 1.0
    small = fitted(lines, (16, 16))
    assert small.shape == (1, 3, 16, 16)
    assert 0 < float(small.mean()) < 1
    assert small.std() < 0.1
    assert fitted(lines, (64, 64)) is lines


def test_a_picture_of_twice_the_size_steers_as_the_fitted_one(
    network: UNetDenoiser, prompts: Prompts, noise: Tensor, picture: Tensor
) -> None:
    large = picture.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    answers = [
        predict(network, noise, NOON, steered(prompts[0], Control(EDGES, shown)).entries)[0]
        for shown in (large, fitted(large, (16, 16)))
    ]
    assert torch.equal(*answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": -1.0}, "strength -1 of a ControlNet is negative"),
        ({"start": 0.5, "end": 0.5}, "cannot steer from 0.5 to 0.5 of the schedule"),
        ({"end": 1.5}, "cannot steer from 0 to 1.5"),
        ({"picture": torch.zeros(1, 4, 8, 8)}, r"not \[1, 4, 8, 8\]"),
    ],
)
def test_controls_that_make_no_sense_are_refused(
    prompts: Prompts, picture: Tensor, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        steered(prompts[0], replace(Control(EDGES, picture), **change))


def test_strength_zero_leaves_the_prompt_as_it_is(prompts: Prompts, picture: Tensor) -> None:
    assert steered(prompts[0], Control(EDGES, picture, strength=0.0)) is prompts[0]


def test_a_controlnet_of_other_widths_is_refused_by_name(
    network: UNetDenoiser, unet: Any, prompts: Prompts, noise: Tensor, picture: Tensor
) -> None:
    wide = UNet2DConditionModel.from_config({**unet.config, "cross_attention_dim": 12})
    strange = UNetDenoiser(unet, Steering({EDGES: make_controlnet(wide, 1)}, SD15, reduction=2))
    entry = steered(prompts[0], Control(EDGES, picture)).entries
    with pytest.raises(ValueError, match=r"edges takes conditioning 12 wide .* the denoiser 8 and 4"):
        predict(strange, noise, NOON, entry)
    with pytest.raises(ValueError, match="open the denoiser together with its prompts"):
        predict(UNetDenoiser(unet), noise, NOON, entry)


def test_as_many_pictures_as_latents(network: UNetDenoiser, prompts: Prompts, noise: Tensor) -> None:
    entry = steered(prompts[0], Control(EDGES, torch.zeros(3, 3, 16, 16))).entries
    with pytest.raises(ValueError, match="3 pictures does not fit 2 latents; use 1 or 2"):
        predict(network, noise, NOON, entry)


DENOISER = Denoiser("tiny", "0", "sd15", "unet", latent_reduction=2, precision="fp32")


def models_with(unet: Any, controlnets: dict[ControlNet, Any]) -> FakeModels:
    modules = {f"{recipe.file}/controlnet": module for recipe, module in controlnets.items()}
    return FakeModels({"unet": unet, **modules})


def test_a_denoiser_opens_with_the_controlnets_of_its_prompts_each_once(
    unet: Any,
    controlnets: dict[ControlNet, Any],
    network: UNetDenoiser,
    prompts: Prompts,
    noise: Tensor,
    picture: Tensor,
) -> None:
    steered_prompts = both(prompts, Control(EDGES, picture), Control(EDGES, 1 - picture, strength=0.3))
    models = models_with(unet, controlnets)
    with opened_network(models, DENOISER, [*steered_prompts, None]) as opened:
        assert opened.unet is unet
        answers = predict(opened, noise, NOON, steered_prompts[0].entries)
    assert models.used == [DENOISER, replace(EDGES, precision="fp32")]
    torch.testing.assert_close(answers, predict(network, noise, NOON, steered_prompts[0].entries))


def test_a_controlnet_keeps_a_precision_of_its_own(
    unet: Any, controlnets: dict[ControlNet, Any], prompts: Prompts, picture: Tensor
) -> None:
    own = replace(EDGES, precision="bf16")
    models = models_with(unet, controlnets)
    with opened_network(models, DENOISER, [steered(prompts[0], Control(own, picture))]):
        pass
    assert models.used[1] == own


def test_a_controlnet_of_another_family_is_refused_before_anything_is_loaded(
    unet: Any, controlnets: dict[ControlNet, Any], prompts: Prompts, picture: Tensor
) -> None:
    models = models_with(unet, controlnets)
    prompt = steered(prompts[0], Control(replace(EDGES, family="sdxl"), picture))
    with (
        pytest.raises(ModelMismatch, match="edges is for the family sdxl, but the denoiser tiny is of sd15"),
        opened_network(models, DENOISER, [prompt]),
    ):
        pass
    assert models.used == []


def test_patches_that_follow_the_schedule_are_switched_between_calls(
    unet: Any, prompts: Prompts, noise: Tensor
) -> None:
    early = LoraPatch("style", "f", end=0.5)
    models = FakeModels({"unet": unet})
    with opened_network(models, DENOISER.patched(early), prompts) as opened:
        for timestep in (999, 900, 100, 0):
            predict(opened, noise, torch.tensor(timestep), prompts[0].entries)
    assert [recipe.patches for recipe in models.used] == [(), (LoraPatch("style", "f"),), ()]
