"""Base and refiner of Stable Diffusion XL, tiny and random: the workflow equals the two pipelines of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from graphflow.app import App
from graphflow.graph import set_params
from graphflow.zoo.tokenizer import write_tokenizer

PROMPT = "a red circle on sand"
NEGATIVE = "sand"
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}


def make_unet(*, text_width: int, sizes: int) -> Any:
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + sizes * 4,
    )


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The base and the refiner."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, PROMPT.split(), tokens=8)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    config = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 8,
        "projection_dim": 8,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.13025,
    )
    first = CLIPTextModel(CLIPTextConfig(**config, hidden_act="quick_gelu"))
    second = CLIPTextModelWithProjection(CLIPTextConfig(**config, hidden_act="gelu"))
    scheduler = EulerDiscreteScheduler(**SCHEDULER)
    base = StableDiffusionXLPipeline(
        vae, first, second, tokenizer, tokenizer, make_unet(text_width=32, sizes=6), scheduler, add_watermarker=False
    )
    refiner = StableDiffusionXLImg2ImgPipeline(
        vae,
        None,
        second,
        None,
        tokenizer,
        make_unet(text_width=16, sizes=5),
        scheduler,
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    for pipeline in (base, refiner):
        pipeline.set_progress_bar_config(disable=True)
    return base, refiner


@pytest.mark.parametrize("share", [0.8, 0.55])
@pytest.mark.parametrize(
    ("sampler", "scheduler", "options"),
    [
        ("euler", EulerDiscreteScheduler, {}),
        ("dpmpp_2m", DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    ],
)
def test_noise_is_handed_over_where_the_pipelines_hand_it_over(
    app: App,
    workflows: Path,
    pipelines: tuple[Any, Any],
    tmp_path: Path,
    sampler: str,
    scheduler: Any,
    options: dict[str, Any],
    share: float,
) -> None:
    base, refiner = pipelines
    shared = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": 10, "guidance_scale": 5.0}
    for name, pipeline in (("base", base), ("refiner", refiner)):
        pipeline.scheduler = scheduler(**SCHEDULER, **options)
        pipeline.save_pretrained(tmp_path / name)
    generator = torch.Generator().manual_seed(3)
    noisy = base(**shared, width=16, height=16, denoising_end=share, generator=generator, output_type="latent").images
    theirs = refiner(**shared, image=noisy, denoising_start=share, output_type="latent").images

    document = app.load(workflows / "refine_stage.json")
    document.outputs["latent"] = "refine.latent"
    given = [f"checkpoint={tmp_path / 'base'}", f"refiner={tmp_path / 'refiner'}", f"prompt={PROMPT}"]
    given += [f"negative={NEGATIVE}", "width=16", "height=16", "steps=10", "guidance=5", "seed=3", f"sampler={sampler}"]
    given += [f"share={share}", f"schedule.kind={'karras' if options else 'normal'}"]
    given += ["base.precision=fp32", "refiner.precision=fp32"]
    report = app.run(app.prepare_document(set_params(document, given, app.registry)))
    assert report.status == "succeeded", report.message or report.failures
    ours = report.outputs["latent"].samples
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5
