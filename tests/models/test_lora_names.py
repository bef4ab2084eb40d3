"""Keys of every layout mean the same layer."""

from __future__ import annotations

import pytest

from graphflow.models.lora.names import parse_key

QUERY = "mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
OUT = "mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0"
DOTTED = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT = "encoder_layers_0_self_attn_q_proj"


@pytest.mark.parametrize(
    ("key", "part", "layer", "slot"),
    [
        (f"lora_unet_{QUERY}.lora_down.weight", "unet", QUERY, "down"),
        (f"lora_unet_{QUERY}.alpha", "unet", QUERY, "alpha"),
        (f"lora_unet_{QUERY}.lora_mid.weight", "unet", QUERY, "mid"),
        (f"lora_unet_{QUERY}.dora_scale", "unet", QUERY, "dora_scale"),
        (f"lora_unet_{QUERY}.hada_w1_a", "unet", QUERY, "hada_w1_a"),
        (f"lora_unet_{QUERY}.lokr_t2", "unet", QUERY, "lokr_t2"),
        ("lora_unet_conv_norm_out.w_norm", "unet", "conv_norm_out", "diff"),
        ("lora_unet_conv_norm_out.b_norm", "unet", "conv_norm_out", "diff_b"),
        (f"lora_te_text_model_{TEXT}.lora_up.weight", "text_encoder", TEXT, "up"),
        (f"lora_te1_text_model_{TEXT}.lora_up.weight", "text_encoder", TEXT, "up"),
        (f"lora_te2_text_model_{TEXT}.lora_up.weight", "text_encoder_2", TEXT, "up"),
        (f"unet.{DOTTED}.lora.down.weight", "unet", QUERY, "down"),
        (f"unet.{DOTTED}.lora_A.weight", "unet", QUERY, "down"),
        (f"unet.{DOTTED}.lora_B.default.weight", "unet", QUERY, "up"),
        (f"unet.{DOTTED}.lora_B.my_style.bias", "unet", QUERY, "up_bias"),
        (f"base_model.model.{DOTTED}.lora_B.weight", "unet", QUERY, "up"),
        (f"base_model.model.unet.{DOTTED}.lora_B.weight", "unet", QUERY, "up"),
        (f"base_model.model.{DOTTED}.lora_magnitude_vector", "unet", QUERY, "magnitude"),
        (f"{DOTTED}.lora_magnitude_vector.default.weight", "unet", QUERY, "magnitude"),
        (f"diffusion_model.{DOTTED}.lora_A.weight", "unet", QUERY, "down"),
        (f"unet.{DOTTED.replace('.to_q', '.processor.to_q_lora')}.up.weight", "unet", QUERY, "up"),
        (f"{DOTTED.replace('.to_q', '.processor.to_out_lora')}.up.weight", "unet", OUT, "up"),
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight", "text_encoder", TEXT, "up"),
        ("text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight", "text_encoder", TEXT, "down"),
        ("base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", "text_encoder", TEXT, "down"),
        ("text_encoder_2.encoder.layers.0.self_attn.q_proj.lora_A.weight", "text_encoder_2", TEXT, "down"),
    ],
)  # fmt: skip
def test_a_key_tells_network_layer_and_slot(key: str, part: str, layer: str, slot: str) -> None:
    found = parse_key(key)
    assert found is not None
    assert (found.part, found.layer, found.slot) == (part, layer, slot)


@pytest.mark.parametrize("key", ["conv_in.weight", "lora_unet_conv_in.oft_blocks", "alpha", "", "unet.lora.weight"])
def test_other_keys_mean_nothing(key: str) -> None:
    assert parse_key(key) is None
