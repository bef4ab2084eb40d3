"""Sizes of Stable Diffusion's networks from the shapes of their tensors, under the names they have in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphflow.models import keymap
from graphflow.models.detectors.families import (
    BASE_SIZE_NUMBERS,
    REFINER_SIZE_NUMBERS,
    SDXL_REFINER,
    SIZE_NUMBER_WIDTH,
    DiffusionFamily,
    head_counts,
    largest_common,
)
from graphflow.models.headers import TensorHeader
from graphflow.models.keymap import count, outline_of_diffusers

Tensors = Mapping[str, TensorHeader]

_GROUPS = 32
_EYE = "controlnet_cond_embedding"
"""The layers of a ControlNet that look at its picture."""
_MIDDLE_ATTENTION = "mid_block.attentions.0.norm.weight"
_XL_TEXT_WIDTH = 2048
"""Width of the text of Stable Diffusion XL, for ControlNets that do not read it."""
_CLIP_HEAD_WIDTH = 64


@dataclass(frozen=True)
class Sizes:
    """Arguments of a network's class."""

    seen: Mapping[str, Any]
    """What shapes tell."""
    assumed: Mapping[str, Any]
    """What no shape tells: the family's value, or the nearest that these sizes allow."""


def unet_sizes(
    tensors: Tensors, family: DiffusionFamily, *, said: Mapping[str, Any], pooled_width: int | None
) -> Sizes | None:
    """Arguments of UNet2DConditionModel; None if the tensors are no UNet that attends to text.

    `said` is its configuration, `pooled_width` the width of the pooled text where the text encoder is known. The number of
    heads is not in the shapes (diffusers calls it `attention_head_dim`).
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
    attended = [channel for channel, attention in zip(channels, attends, strict=True) if attention] + channels[-1:]
    vectors = _vector_sizes(tensors, family, pooled_width)
    seen = {
        "in_channels": ends[0].shape[1],
        "out_channels": ends[1].shape[0],
        "block_out_channels": channels,
        "layers_per_block": outline.layers,
        "down_block_types": ["CrossAttnDownBlock2D" if attention else "DownBlock2D" for attention in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if attention else "UpBlock2D" for attention in outline.up_attention],
        "cross_attention_dim": text_keys.shape[1],
        "transformer_layers_per_block": _depths(tensors, attends, said.get("transformer_layers_per_block")),
        "use_linear_projection": len(projection.shape) == 2,
        **_guidance_size(tensors),
        **vectors.seen,
    }
    return Sizes(
        seen,
        {
            "attention_head_dim": head_counts(family, channels, attended),
            "norm_num_groups": largest_common(channels, _GROUPS),
            "sample_size": family.sample_size,
            **vectors.assumed,
        },
    )


def controlnet_sizes(tensors: Tensors, family: DiffusionFamily, *, said: Mapping[str, Any]) -> Sizes | None:
    """Arguments of ControlNetModel; None if the tensors are none. Small ones of Stable Diffusion XL attend to no text at all."""
    outline = outline_of_diffusers(tensors)
    eye, entrance = tensors.get(f"{_EYE}.conv_in.weight"), tensors.get("conv_in.weight")
    if eye is None or entrance is None or outline.levels == 0:
        return None
    levels = range(outline.levels)
    channels = [tensors[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels]
    attends = [f"down_blocks.{level}.attentions.0.norm.weight" in tensors for level in levels]
    attended = [channel for channel, attention in zip(channels, attends, strict=True) if attention] + channels[-1:]
    eye_blocks = range(0, count(tensors, f"{_EYE}.blocks.{{}}.weight") - 1, 2)
    text_widths = [
        tensor.shape[1] for name, tensor in tensors.items() if name.endswith("transformer_blocks.0.attn2.to_k.weight")
    ]
    projections = [tensor for name, tensor in tensors.items() if name.endswith("attentions.0.proj_in.weight")]
    vectors = _vector_sizes(tensors, family, None)
    seen: dict[str, Any] = {
        "in_channels": entrance.shape[1],
        "conditioning_channels": eye.shape[1],
        "conditioning_embedding_out_channels": [
            eye.shape[0],
            *(tensors[f"{_EYE}.blocks.{index + 1}.weight"].shape[0] for index in eye_blocks),
        ],
        "block_out_channels": channels,
        "layers_per_block": outline.layers,
        "down_block_types": ["CrossAttnDownBlock2D" if attention else "DownBlock2D" for attention in attends],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if _MIDDLE_ATTENTION in tensors else "UNetMidBlock2D",
        "transformer_layers_per_block": _depths(tensors, attends, said.get("transformer_layers_per_block")),
        **({"use_linear_projection": len(projections[0].shape) == 2} if projections else {}),
        **({"cross_attention_dim": text_widths[0]} if text_widths else {}),
        **vectors.seen,
    }
    assumed = {
        "attention_head_dim": head_counts(family, channels, attended),
        "norm_num_groups": largest_common(channels, _GROUPS),
        **({} if text_widths else {"cross_attention_dim": _XL_TEXT_WIDTH}),
        **vectors.assumed,
    }
    return Sizes(seen, assumed)


def _depths(tensors: Tensors, attends: Sequence[bool], said: Any) -> int | list[int]:
    """Transformer layers by level; the middle counts as the last level, and what has no attention as configured."""
    depths: list[int | None] = [
        _depth(tensors, f"down_blocks.{level}") if attention else None for level, attention in enumerate(attends)
    ]
    if depths[-1] is None:
        depths[-1] = _depth(tensors, "mid_block") or None
    is_listed = isinstance(said, list | tuple) and len(said) == len(depths)
    free = list(said) if is_listed else [said if isinstance(said, int) else 1] * len(depths)
    known = {depth for depth in depths if depth is not None}
    if len(known) == 1 and not isinstance(said, list | tuple):
        return known.pop()
    return [free[level] if depth is None else depth for level, depth in enumerate(depths)]


def _depth(tensors: Tensors, block: str) -> int:
    return count(tensors, f"{block}.attentions.0.transformer_blocks.{{}}.norm1.weight")


def _guidance_size(tensors: Tensors) -> dict[str, int]:
    """Width of the embedded guidance that distilled UNets take (Luo et al., arXiv 2310.04378)."""
    guidance = tensors.get("time_embedding.cond_proj.weight")
    return {} if guidance is None else {"time_cond_proj_dim": guidance.shape[1]}


def _vector_sizes(tensors: Tensors, family: DiffusionFamily, pooled_width: int | None) -> Sizes:
    """Arguments of the embedding of pooled text and sizes, or of a vector; none for UNets without one."""
    if (vector := tensors.get(f"{keymap.CLASS_EMBEDDING}.linear_1.weight")) is not None:
        return Sizes({"class_embed_type": "projection", "projection_class_embeddings_input_dim": vector.shape[1]}, {})
    if (added := tensors.get(f"{keymap.ADD_EMBEDDING}.linear_1.weight")) is None:
        return Sizes({}, {})
    seen: dict[str, Any] = {
        "addition_embed_type": "text_time",
        "projection_class_embeddings_input_dim": added.shape[1],
    }
    numbers = REFINER_SIZE_NUMBERS if family == SDXL_REFINER else BASE_SIZE_NUMBERS
    if pooled_width is not None and added.shape[1] > pooled_width and (added.shape[1] - pooled_width) % numbers == 0:
        return Sizes({**seen, "addition_time_embed_dim": (added.shape[1] - pooled_width) // numbers}, {})
    return Sizes(seen, {"addition_time_embed_dim": SIZE_NUMBER_WIDTH})


def vae_sizes(tensors: Tensors, family: DiffusionFamily) -> Sizes | None:
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
    return Sizes(seen, {"norm_num_groups": largest_common(channels, _GROUPS), "scaling_factor": family.scaling_factor})


def text_encoder_sizes(tensors: Tensors, *, is_open_clip: bool) -> Sizes | None:
    """Arguments of CLIPTextConfig; None if the tensors are no CLIP text encoder. Heads are 64 wide, as in all published ones."""
    projection = tensors.get("text_projection.weight")
    named = {keymap.text_name(name): tensor for name, tensor in tensors.items()}
    tokens = named.get("embeddings.token_embedding.weight")
    positions = named.get("embeddings.position_embedding.weight")
    inner = named.get("encoder.layers.0.mlp.fc1.weight")
    if tokens is None or positions is None or inner is None:
        return None
    width = tokens.shape[1]
    seen = {
        "hidden_size": width,
        "vocab_size": tokens.shape[0],
        "max_position_embeddings": positions.shape[0],
        "intermediate_size": inner.shape[0],
        "num_hidden_layers": count(named, "encoder.layers.{}.layer_norm1.weight"),
    }
    if projection is not None:
        seen["projection_dim"] = projection.shape[0]
    assumed = {
        "num_attention_heads": max(1, width // _CLIP_HEAD_WIDTH),
        "hidden_act": "gelu" if is_open_clip else "quick_gelu",
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    return Sizes(seen, assumed if projection is not None else {**assumed, "projection_dim": width})
