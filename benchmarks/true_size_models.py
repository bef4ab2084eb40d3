"""Checkpoints of true size with random weights, for benchmarks: the UNets of Stable Diffusion 1.5 and XL, and toys around them.

python benchmarks/true_size_models.py FAMILY PRECISION FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from graphflow.zoo.tokenizer import write_tokenizer

PROMPT = "a red circle on sand"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def write_model(family: str, precision: str, folder: Path) -> None:
    """Write a diffusers folder of family `sd15` or `sdxl`, weights in fp32 or bf16: 0.86 or 2.6 billion parameters in the UNet."""
    torch.manual_seed(0)
    torch.set_default_dtype(PRECISIONS[precision])
    write_tokenizer(folder / "words", PROMPT.split(), tokens=77)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "words")
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    if family == "sd15":
        text = CLIPTextModel(_text_config(tokenizer, 768))
        pipeline = StableDiffusionPipeline(
            _vae(0.18215), text, tokenizer, _unet_sd15(), scheduler, None, None, requires_safety_checker=False
        )
    else:
        pipeline = StableDiffusionXLPipeline(
            _vae(0.13025),
            CLIPTextModel(_text_config(tokenizer, 768)),
            CLIPTextModelWithProjection(_text_config(tokenizer, 1280)),
            tokenizer,
            tokenizer,
            _unet_sdxl(),
            scheduler,
            add_watermarker=False,
        )
    pipeline.save_pretrained(folder / family, max_shard_size="20GB")


def _unet_sd15() -> UNet2DConditionModel:
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def _unet_sdxl() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


def _vae(scaling_factor: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=scaling_factor,
    )


def _text_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    """Of a text encoder of the right width and one layer; its work is not measured."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


if __name__ == "__main__":
    write_model(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
