"""Sizes of Stable Diffusion 1.x networks from the shapes of their tensors, under their diffusers names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphflow.models.headers import TensorHeader
from graphflow.models.keymap import count, outline_of_diffusers

Tensors = Mapping[str, TensorHeader]

_HEADS = 8
_GROUPS = 32
_SAMPLE_SIZE = 64
_SCALING_FACTOR = 0.18215
_CLIP_HEAD_WIDTH = 64


@dataclass(frozen=True)
class Sizes:
    """Arguments of a network's class."""

    seen: Mapping[str, Any]
    """What shapes tell."""
    assumed: Mapping[str, Any]
    """What no shape tells: SD 1.5's value, or the nearest that these sizes allow."""


def unet_sizes(tensors: Tensors) -> Sizes | None:
    """Arguments of UNet2DConditionModel; None if the tensors are no UNet that attends to text.

    The number of heads is not in the shapes: 8 as in SD 1.5 (diffusers calls it `attention_head_dim`), fewer if the
    channels cannot be split by 8.
    """
    outline = outline_of_diffusers(tensors)
    text_keys = tensors.get("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight")
    projection = tensors.get("mid_block.attentions.0.proj_in.weight")
    ends = tensors.get("conv_in.weight"), tensors.get("conv_out.weight")
    if text_keys is None or projection is None or outline.levels == 0 or ends[0] is None or ends[1] is None:
        return None
    levels = range(outline.levels)
    channels = [tensors[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels]
    attends = [f"down_blocks.{level}.attentions.0.norm.weight" in tensors for level in levels]
    depths = [_depth(tensors, f"down_blocks.{level}" if attends[level] else "mid_block") for level in levels]
    attended = [channel for channel, attention in zip(channels, attends, strict=True) if attention] + channels[-1:]
    groups = largest_common(channels, _GROUPS)
    seen = {
        "in_channels": ends[0].shape[1],
        "out_channels": ends[1].shape[0],
        "block_out_channels": channels,
        "layers_per_block": outline.layers,
        "down_block_types": ["CrossAttnDownBlock2D" if attention else "DownBlock2D" for attention in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if attention else "UpBlock2D" for attention in outline.up_attention],
        "cross_attention_dim": text_keys.shape[1],
        "transformer_layers_per_block": depths[0] if len(set(depths)) == 1 else depths,
        "use_linear_projection": len(projection.shape) == 2,
    }
    return Sizes(
        seen,
        {
            "attention_head_dim": largest_common(attended, _HEADS),
            "norm_num_groups": groups,
            "sample_size": _SAMPLE_SIZE,
        },
    )


def _depth(tensors: Tensors, block: str) -> int:
    return count(tensors, f"{block}.attentions.0.transformer_blocks.{{}}.norm1.weight")


def vae_sizes(tensors: Tensors) -> Sizes | None:
    """Arguments of AutoencoderKL; None if the tensors are none."""
    levels = range(count(tensors, "encoder.down_blocks.{}.resnets.0.conv1.weight"))
    needed = ("encoder.conv_in.weight", "decoder.conv_in.weight", "decoder.conv_out.weight")
    if not levels or any(name not in tensors for name in needed):
        return None
    channels = [tensors[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels]
    seen = {
        "in_channels": tensors["encoder.conv_in.weight"].shape[1],
        "out_channels": tensors["decoder.conv_out.weight"].shape[0],
        "latent_channels": tensors["decoder.conv_in.weight"].shape[1],
        "block_out_channels": channels,
        "layers_per_block": count(tensors, "encoder.down_blocks.0.resnets.{}.conv1.weight"),
        "down_block_types": ["DownEncoderBlock2D"] * len(channels),
        "up_block_types": ["UpDecoderBlock2D"] * len(channels),
        "mid_block_add_attention": "encoder.mid_block.attentions.0.to_q.weight" in tensors,
        "use_quant_conv": "quant_conv.weight" in tensors,
        "use_post_quant_conv": "post_quant_conv.weight" in tensors,
    }
    return Sizes(seen, {"norm_num_groups": largest_common(channels, _GROUPS), "scaling_factor": _SCALING_FACTOR})


def text_encoder_sizes(tensors: Tensors) -> Sizes | None:
    """Arguments of CLIPTextConfig; None if the tensors are no CLIP text encoder. Heads are 64 wide, as in all of OpenAI's."""
    tokens = tensors.get("embeddings.token_embedding.weight")
    positions = tensors.get("embeddings.position_embedding.weight")
    inner = tensors.get("encoder.layers.0.mlp.fc1.weight")
    if tokens is None or positions is None or inner is None:
        return None
    width = tokens.shape[1]
    seen = {
        "hidden_size": width,
        "vocab_size": tokens.shape[0],
        "max_position_embeddings": positions.shape[0],
        "intermediate_size": inner.shape[0],
        "num_hidden_layers": count(tensors, "encoder.layers.{}.layer_norm1.weight"),
    }
    assumed = {
        "num_attention_heads": max(1, width // _CLIP_HEAD_WIDTH),
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": width,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    return Sizes(seen, assumed)


def largest_common(channels: Sequence[int], limit: int) -> int:
    """Largest number up to `limit` that divides all channel counts."""
    return next(number for number in range(limit, 0, -1) if all(channel % number == 0 for channel in channels))
