"""Layers are found under every spelling, in every family."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.models.lora.targets import layer_paths


@pytest.fixture(scope="module")
def sdxl_layers() -> dict[str, str]:
    """Of a UNet with Stable Diffusion XL's levels and blocks."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=(32, 64, 128),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(2, 4, 8),
            cross_attention_dim=64,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=112,
        )
    return layer_paths(name for name, _ in unet.named_parameters())


@pytest.mark.parametrize(
    ("spelled", "path"),
    [
        ("input_blocks_4_1_transformer_blocks_1_attn1_to_q", "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q"),
        ("input_blocks_8_1_proj_in", "down_blocks.2.attentions.1.proj_in"),
        ("middle_block_1_transformer_blocks_9_ff_net_0_proj", "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj"),
        ("output_blocks_2_1_transformer_blocks_0_attn2_to_out_0", "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_out.0"),
        ("output_blocks_5_2_conv", "up_blocks.1.upsamplers.0.conv"),
        ("input_blocks_1_0_in_layers_2", "down_blocks.0.resnets.0.conv1"),
        ("down_blocks_1_attentions_0_proj_in", "down_blocks.1.attentions.0.proj_in"),
        ("time_embed_0", "time_embedding.linear_1"),
    ],
)  # fmt: skip
def test_kohyas_names_of_stable_diffusion_xl(sdxl_layers: dict[str, str], spelled: str, path: str) -> None:
    assert sdxl_layers[spelled] == path


def test_no_two_layers_share_a_spelling(sdxl_layers: dict[str, str]) -> None:
    assert {path.replace(".", "_") for path in sdxl_layers.values()} <= sdxl_layers.keys()


@pytest.mark.parametrize("network", [CLIPTextModel, CLIPTextModelWithProjection])
def test_text_encoders_with_and_without_a_prefix_in_memory(network: type[CLIPTextModel]) -> None:
    config = CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
    )
    with torch.device("meta"):
        found = layer_paths(name for name, _ in network(config).named_parameters())
    assert found["encoder_layers_0_mlp_fc1"].endswith("encoder.layers.0.mlp.fc1")
