"""Stable Diffusion 1, 2 and XL: their networks from diffusers and transformers, and their weights in the original layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.errors import ModelMismatch
from graphflow.models import keymap, open_clip

_TEXT_ENCODERS = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


def build(part: str, config: Mapping[str, Any]) -> nn.Module:
    """The network of a part, on whatever device torch makes tensors now."""
    if part in _TEXT_ENCODERS:
        known = {name: value for name, value in config.items() if name not in ("architectures", "dtype", "torch_dtype")}
        text_encoder: nn.Module = _TEXT_ENCODERS[part](CLIPTextConfig(**known))
        return text_encoder
    network_class = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "controlnet": ControlNetModel}[part]
    arguments = {name: value for name, value in config.items() if not name.startswith("_")}
    network: nn.Module = network_class.from_config(arguments)
    return network


def fill_buffers(part: str, network: nn.Module) -> None:
    """Make the buffers that no file holds."""
    if part in _TEXT_ENCODERS:
        embeddings = next(module for module in network.modules() if "position_ids" in module._buffers)
        shape = embeddings._buffers["position_ids"]
        assert shape is not None
        embeddings.register_buffer(
            "position_ids", torch.arange(shape.shape[-1]).expand(shape.shape).clone(), persistent=False
        )


def to_original(parts: Mapping[str, Mapping[str, Tensor]], family: str = "sd15") -> dict[str, Tensor]:
    """Weights in the family's original single-file layout from state dicts by part (`unet`, `vae`, `text_encoder`, `text_encoder_2`).

    The reverse of loading, exact to the bit: names as `keymap.keymap` gives them, the VAE's attention projections
    `[out, in]` as 1x1 convolutions `[out, in, 1, 1]`, text encoders as their family stores them. Raises ModelMismatch for a key
    that the layout does not have.
    """
    places = _TEXT_PLACES[family]
    unet, vae = parts.get("unet", {}), parts.get("vae", {})
    vae_names = {keymap.current_vae_name(name) for name in vae}
    try:
        table = keymap.keymap(
            {part: state for part, state in parts.items() if part not in _TEXT_ENCODERS},
            unet=keymap.outline_of_diffusers(unet),
            vae_levels=keymap.count(vae_names, "encoder.down_blocks.{}.resnets.0.conv1.weight"),
            vae_layers=keymap.count(vae_names, "encoder.down_blocks.0.resnets.{}.conv1.weight"),
        )
    except KeyError as error:
        raise _no_place(error.args[0]) from error
    written = {
        table[f"{part}.{name}"]: _as_convolution(tensor) if _becomes_convolution(part, name, tensor) else tensor
        for part, state in parts.items()
        if part not in _TEXT_ENCODERS
        for name, tensor in state.items()
    }
    for part in parts.keys() & _TEXT_ENCODERS.keys():
        if part not in places:
            raise _no_place(part)
        prefix, is_open_clip = places[part]
        text = _open_clip_text(part, parts[part]) if is_open_clip else _clip_text(parts[part])
        written |= {prefix + name: tensor for name, tensor in text.items()}
    return written


_TEXT_PLACES = {
    "sd15": {"text_encoder": (keymap.TEXT_PREFIX, False)},
    "sd2": {"text_encoder": ("cond_stage_model.model.", True)},
    "sdxl": {
        "text_encoder": ("conditioner.embedders.0.transformer.", False),
        "text_encoder_2": ("conditioner.embedders.1.model.", True),
    },
    "sdxl_refiner": {"text_encoder_2": ("conditioner.embedders.0.model.", True)},
}
"""Where each family's file has its text encoders, and whether they are laid out as OpenCLIP's."""


def _clip_text(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {keymap.TEXT_MODEL + keymap.text_name(name): tensor for name, tensor in state.items()}


def _open_clip_text(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A text encoder in OpenCLIP's layout: queries, keys and values in one tensor, the projection the other way round."""
    fused: dict[str, dict[str, Tensor]] = {}
    written: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = keymap.text_name(key)
        if (original := open_clip.original_name(name)) is None:
            raise _no_place(f"{part}.{key}")
        projection = name.split(".")[-2]
        if projection in open_clip.FUSED:
            fused.setdefault(original, {})[projection] = tensor
        else:
            written[original] = tensor.T.contiguous() if name == open_clip.PROJECTION else tensor
    return written | {
        name: torch.cat([thirds[projection] for projection in open_clip.FUSED]) for name, thirds in fused.items()
    }


def _no_place(key: str) -> ModelMismatch:
    return ModelMismatch(f"the original Stable Diffusion layout has no place for {key}")


def _becomes_convolution(part: str, name: str, tensor: Tensor) -> bool:
    return part == "vae" and tensor.ndim == 2 and keymap.is_vae_projection(keymap.current_vae_name(name))


def _as_convolution(tensor: Tensor) -> Tensor:
    return tensor[:, :, None, None]
