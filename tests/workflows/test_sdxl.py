"""The same workflow with a Stable Diffusion XL checkpoint: tiny, random, and equal to the pipeline of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from graphflow.app import App
from graphflow.graph import set_params
from graphflow.zoo.tokenizer import write_tokenizer

PROMPT = "a red circle on sand"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, PROMPT.split(), tokens=8)
    return CLIPTokenizer.from_pretrained(folder)


def text_config(tokenizer: Any, act: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=8,
        projection_dim=8,
        hidden_act=act,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


@pytest.fixture(scope="module")
def pipeline(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.13025,
    )
    made = StableDiffusionXLPipeline(
        vae,
        CLIPTextModel(text_config(tokenizer, "quick_gelu")),
        CLIPTextModelWithProjection(text_config(tokenizer, "gelu")),
        tokenizer,
        tokenizer,
        unet,
        EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("size", [(16, 16), (24, 16)])
def test_a_prompt_becomes_the_pipelines_latents(
    app: App, workflows: Path, pipeline: Any, tmp_path: Path, size: tuple[int, int]
) -> None:
    pipeline.save_pretrained(tmp_path / "tiny-xl")
    width, height = size
    theirs = pipeline(
        PROMPT,
        negative_prompt="",
        width=width,
        height=height,
        num_inference_steps=4,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    ).images
    document = app.load(workflows / "text_to_image.json")
    document.outputs["latent"] = "sample.latent"
    given = [f"checkpoint={tmp_path / 'tiny-xl'}", f"prompt={PROMPT}", f"width={width}", f"height={height}"]
    given += ["precision=fp32", "steps=4", "guidance=5", "seed=3", "sampler=euler", "schedule=normal"]
    report = app.run(app.prepare_document(set_params(document, given, app.registry)))
    assert report.status == "succeeded", report.message or report.failures
    ours = report.outputs["latent"].samples
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5
