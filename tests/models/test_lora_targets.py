"""Layers are found under every spelling, in every family."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.models.headers import TensorHeader
from graphflow.models.lora.adapter import LoraFile, LoraLayer
from graphflow.models.lora.mismatch import Misfits, mismatch_message
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


@pytest.mark.parametrize(
    ("fitting", "width", "message"),
    [
        (0, 768, r"another family or size than \"tiny\"; none of its layers fit the unet: keys"),
        (
            3,
            768,
            r"does not apply as a whole to the unet of \"tiny\": keys of layers that the model does not have \(1\): a",
        ),
        (1, 768, r"another family or size than \"tiny\"; only 1 of 3 of its layers fit the unet: keys"),
        (9, 1024, r"only 9 of 11.*reads text 768 wide, as Stable Diffusion 1\.x has; this model's is 1024 wide: keys"),
    ],
)
def test_a_message_says_which_family_a_lora_is_for(fitting: int, width: int, message: str) -> None:
    down = TensorHeader(Path("x"), "k", (4, 768), "F16")
    lora = LoraFile(Path("x.safetensors"), (LoraLayer("unet", "mid_attn2_to_k", {"down": down}),))
    found = Misfits(("a",), ("b (changes [1], the layer has [2])",), layers=2, fitting=fitting, text_width=width)
    assert re.search(message, mismatch_message(lora, "unet", found, title='"tiny"'))
