"""Models made for inpainting and depth sample what the pipelines of diffusers sample."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from graphflow.packs.builtin.conditioning.depth_conditioning import DepthConditioning
from graphflow.packs.builtin.conditioning.inpaint_conditioning import InpaintConditioning
from torch import Tensor

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Image, Latent, Mask, NoiseSpec, Vae
from graphflow.testing import FakeContext, run_node
from tests.nodes.conftest import WIDTH

STEPS = 5
GUIDANCE = 3.0
SIDE = 16


def unet_of(channels: int) -> Any:
    torch.manual_seed(channels)
    return UNet2DConditionModel(
        in_channels=channels,
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    ).eval()


@pytest.fixture
def sure_vae(modules: dict[str, Any]) -> AutoencoderKL:
    """An autoencoder whose draws are its means: diffusers draws latents where graphflow takes the likeliest."""
    vae = copy.deepcopy(modules["vae"])
    with torch.no_grad():
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = -30
    return vae


@pytest.fixture
def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@pytest.fixture
def picture() -> Image:
    return Image(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))


@pytest.fixture
def mask() -> Mask:
    """With edges inside of latent pixels, and gray."""
    values = torch.zeros(1, SIDE, SIDE)
    values[:, 3:11, 5:16] = 1.0
    values[:, 3, 5:16] = 0.6
    values[:, 10, 5:16] = 0.4
    return Mask(values)


def sampled(
    unet: Any, positive: Conditioning, negative: Conditioning, latent: Latent, noise: Tensor, *, strength: float = 1.0
) -> Tensor:
    schedule = diffusion.make_schedule(NoiseSpec(), "ddim", steps=STEPS, kind="normal", strength=strength)
    guider = diffusion.CfgGuider(diffusion.UNetDenoiser(unet), positive, negative, GUIDANCE, NoiseSpec())
    keep = None
    if latent.noise_mask is not None:
        keep = diffusion.KeptOutside.of(latent.samples, noise=noise, mask=latent.noise_mask)
    start = diffusion.start_latents(latent.samples, noise, schedule)
    return diffusion.sample(guider, start, schedule, keep=keep)


def called(pipeline: Any, positive: Conditioning, negative: Conditioning, **inputs: Any) -> Tensor:
    pipeline.set_progress_bar_config(disable=True)
    found: Tensor = pipeline(
        prompt_embeds=positive.entries[0].tokens,
        negative_prompt_embeds=negative.entries[0].tokens,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        output_type="latent",
        **inputs,
    ).images
    return found


def assert_equal(ours: Tensor, theirs: Tensor) -> None:
    assert float((ours - theirs).abs().max() / theirs.abs().max()) < 1e-4


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_an_inpainting_model_samples_what_its_pipeline_samples(
    sure_vae: AutoencoderKL,
    scheduler: DDIMScheduler,
    picture: Image,
    mask: Mask,
    vae: Vae,
    positive: Conditioning,
    negative: Conditioning,
    strength: float,
) -> None:
    unet = unet_of(9)
    node = InpaintConditioning(
        vae=vae, image=picture, mask=mask, positive=positive, negative=negative, noise_mask=False
    )
    made = run_node(node, FakeContext(models={"vae": sure_vae}))
    pipeline = StableDiffusionInpaintPipeline(sure_vae, None, None, unet, scheduler, None, None, None, False)
    theirs = called(
        pipeline,
        positive,
        negative,
        image=picture.pixels,
        mask_image=mask.values.unsqueeze(1),
        height=SIDE,
        width=SIDE,
        strength=strength,
        generator=torch.Generator().manual_seed(4),
    )
    generator = torch.Generator().manual_seed(4)
    shape = made["latent"].samples.shape
    if strength < 1:
        diffusion.draw_noise(shape, generator)  # the pipeline draws the picture's latents first
        latent = made["latent"]
    else:
        latent = Latent(torch.zeros(shape), 2)
    noise = diffusion.draw_noise(shape, generator)
    ours = sampled(unet, made["positive"], made["negative"], latent, noise, strength=strength)
    assert_equal(ours, theirs)


def test_the_model_sees_the_picture_with_gray_under_the_mask(
    modules: dict[str, Any], picture: Image, mask: Mask, vae: Vae, positive: Conditioning
) -> None:
    node = InpaintConditioning(vae=vae, image=picture, mask=mask, positive=positive)
    made = run_node(node, FakeContext(models={"vae": modules["vae"]}))
    channels = made["positive"].entries[0].extra["concat"]
    shown = torch.where(mask.values[:, None] >= 0.5, 0.5, picture.pixels)
    with torch.no_grad():
        latents = modules["vae"].encode(shown * 2 - 1).latent_dist.mean * vae.scaling_factor
    assert channels.shape == (1, 5, 8, 8)
    assert torch.equal(channels[:, 0], (mask.values >= 0.5).float()[:, ::2, ::2])
    torch.testing.assert_close(channels[:, 1:], latents)
    assert made["negative"] is None
    assert made["latent"].space == "sd"


def test_with_a_noise_mask_the_rest_stays(
    modules: dict[str, Any], picture: Image, mask: Mask, vae: Vae, positive: Conditioning, negative: Conditioning
) -> None:
    node = InpaintConditioning(vae=vae, image=picture, mask=mask, positive=positive, negative=negative)
    made = run_node(node, FakeContext(models={"vae": modules["vae"]}))
    latent = made["latent"]
    noise = torch.randn(latent.samples.shape, generator=torch.Generator().manual_seed(2))
    result = sampled(unet_of(9), made["positive"], made["negative"], latent, noise)
    assert torch.equal(result[..., :2], latent.samples[..., :2])
    assert not torch.allclose(result[:, :, 2:4, 3:], latent.samples[:, :, 2:4, 3:], atol=0.1)


def test_a_mask_of_another_size_is_refused(ctx: FakeContext, picture: Image, vae: Vae, positive: Conditioning) -> None:
    with pytest.raises(ValueError, match="a mask of 4x8 does not fit a picture of 16x16; resize the mask"):
        run_node(InpaintConditioning(vae=vae, image=picture, mask=Mask(torch.ones(1, 8, 4)), positive=positive), ctx)


def test_an_inpainting_model_without_its_conditioning_says_what_it_needs(
    positive: Conditioning, negative: Conditioning
) -> None:
    latent = Latent(torch.zeros(1, 4, 8, 8), 2)
    with pytest.raises(ValueError, match=r"takes 9, 5 of them beside the latents .*inpaint_conditioning"):
        sampled(unet_of(9), positive, negative, latent, torch.zeros_like(latent.samples))


def test_another_model_says_that_it_was_not_made_for_inpainting(positive: Conditioning, negative: Conditioning) -> None:
    latent = Latent(torch.zeros(1, 4, 8, 8), 2)
    shown = diffusion.with_channels(positive, torch.zeros(1, 5, 8, 8))
    unseen = diffusion.with_channels(negative, torch.zeros(1, 5, 8, 8))
    with pytest.raises(ValueError, match="not made for inpainting or depth, use a noise mask"):
        sampled(unet_of(4), shown, unseen, latent, torch.zeros_like(latent.samples))


def test_a_depth_model_samples_what_its_pipeline_samples(
    sure_vae: AutoencoderKL,
    scheduler: DDIMScheduler,
    picture: Image,
    vae: Vae,
    positive: Conditioning,
    negative: Conditioning,
) -> None:
    unet = unet_of(5)
    depth = torch.rand(1, 20, 24, generator=torch.Generator().manual_seed(6)) * 0.5 + 0.2
    latents = diffusion.encode_pictures(sure_vae, picture.pixels, scaling_factor=vae.scaling_factor)
    node = DepthConditioning(
        depth=Image(depth.unsqueeze(1).repeat(1, 3, 1, 1)),
        latent=Latent(latents, 2),
        positive=positive,
        negative=negative,
    )
    made = run_node(node)
    pipeline = StableDiffusionDepth2ImgPipeline(sure_vae, None, None, unet, scheduler, None, None)  # type: ignore[arg-type]
    theirs = called(
        pipeline,
        positive,
        negative,
        image=picture.pixels,
        depth_map=depth,
        strength=0.6,
        generator=torch.Generator().manual_seed(4),
    )
    generator = torch.Generator().manual_seed(4)
    diffusion.draw_noise(latents.shape, generator)
    noise = diffusion.draw_noise(latents.shape, generator)
    ours = sampled(unet, made["positive"], made["negative"], Latent(latents, 2), noise, strength=0.6)
    assert_equal(ours, theirs)


def test_depth_without_contrast_is_far(positive: Conditioning) -> None:
    node = DepthConditioning(
        depth=Image(torch.full((1, 3, 8, 8), 0.5)), latent=Latent(torch.zeros(1, 4, 4, 4)), positive=positive
    )
    channels = run_node(node)["positive"].entries[0].extra["concat"]
    assert torch.equal(channels, torch.full((1, 1, 4, 4), -1.0))
