"""Tiny models of the families after Stable Diffusion 1, with random weights, as diffusers makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.models.loaders.stable_diffusion import to_original

WIDTH = 64
POOLED = 48
SIZE_WIDTH = 8
CHANNELS = (64, 128)


def text_config(*, layers: int = 3, act: str = "gelu", width: int = WIDTH) -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width, intermediate_size=96, num_hidden_layers=layers, num_attention_heads=width // 64, vocab_size=100,
        max_position_embeddings=16, bos_token_id=0, pad_token_id=1, eos_token_id=2, projection_dim=POOLED, hidden_act=act,
    )  # fmt: skip


def unet_of(family: str, *, in_channels: int = 4, device: str = "cpu") -> UNet2DConditionModel:
    """A UNet of two levels, the inner one with attention."""
    sizes: dict[str, Any] = {
        "sd2": {"cross_attention_dim": WIDTH, "transformer_layers_per_block": 1},
        "sdxl": {"cross_attention_dim": 2 * WIDTH, "projection_class_embeddings_input_dim": POOLED + 6 * SIZE_WIDTH},
        "sdxl_refiner": {
            "cross_attention_dim": WIDTH,
            "projection_class_embeddings_input_dim": POOLED + 5 * SIZE_WIDTH,
        },
    }[family]
    if family != "sd2":
        sizes |= {"addition_embed_type": "text_time", "addition_time_embed_dim": SIZE_WIDTH}
    arguments = {
        "in_channels": in_channels,
        "block_out_channels": CHANNELS,
        "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": (1, 2),
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
        "sample_size": 16,
        **sizes,
    }
    with torch.device(device):
        return UNet2DConditionModel(**arguments)


def networks_of(family: str) -> dict[str, nn.Module]:
    """All networks of a family by part."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(32, 32), layers_per_block=1, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, scaling_factor=0.18215 if family == "sd2" else 0.13025,
    )  # fmt: skip
    networks: dict[str, nn.Module] = {"unet": unet_of(family), "vae": vae}
    if family == "sd2":
        networks["text_encoder"] = CLIPTextModel(text_config())
    if family == "sdxl":
        networks["text_encoder"] = CLIPTextModel(text_config(act="quick_gelu"))
    if family != "sd2":
        networks["text_encoder_2"] = CLIPTextModelWithProjection(text_config())
    return networks


def states_of(networks: Mapping[str, nn.Module]) -> dict[str, dict[str, Tensor]]:
    return {part: network.state_dict() for part, network in networks.items()}


def write_folder(folder: Path, family: str, networks: Mapping[str, Any], **options: Any) -> Path:
    """The networks as a diffusers folder; `options` go to `save_pretrained`."""
    for part, network in networks.items():
        network.save_pretrained(folder / part, **options)
    scheduler = (
        DDIMScheduler(prediction_type="v_prediction", beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
        if family == "sd2"
        else EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    )
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        part: [type(network).__module__.split(".")[0], type(network).__name__] for part, network in networks.items()
    }
    index |= {"scheduler": ["diffusers", type(scheduler).__name__]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_original(path: Path, family: str, states: Mapping[str, Mapping[str, Tensor]]) -> Path:
    """The weights as a single file in the family's original layout."""
    save_file({name: tensor.contiguous() for name, tensor in to_original(states, family).items()}, path)
    return path
