"""Stable Diffusion 1, 2 and XL: their networks from diffusers and transformers, and 1's weights in the original layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.errors import ModelMismatch
from graphflow.models import keymap

_TEXT_ENCODERS = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


def build(part: str, config: Mapping[str, Any]) -> nn.Module:
    """The network of a part, on whatever device torch makes tensors now."""
    if part in _TEXT_ENCODERS:
        known = {name: value for name, value in config.items() if name not in ("architectures", "dtype", "torch_dtype")}
        text_encoder: nn.Module = _TEXT_ENCODERS[part](CLIPTextConfig(**known))
        return text_encoder
    network_class = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}[part]
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


def to_original(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Weights in the original single-file layout from diffusers state dicts by part (`unet`, `vae`, `text_encoder`).

    The reverse of loading, exact to the bit: names as `keymap.keymap` gives them, the VAE's attention projections
    `[out, in]` as 1x1 convolutions `[out, in, 1, 1]`. Raises ModelMismatch for a key that the layout does not have.
    """
    unet, vae = parts.get("unet", {}), parts.get("vae", {})
    vae_names = {keymap.current_vae_name(name) for name in vae}
    try:
        table = keymap.keymap(
            parts,
            unet=keymap.outline_of_diffusers(unet),
            vae_levels=keymap.count(vae_names, "encoder.down_blocks.{}.resnets.0.conv1.weight"),
            vae_layers=keymap.count(vae_names, "encoder.down_blocks.0.resnets.{}.conv1.weight"),
        )
    except KeyError as error:
        raise ModelMismatch(f"the original Stable Diffusion layout has no place for {error.args[0]}") from error
    return {
        table[f"{part}.{name}"]: _as_convolution(tensor) if _becomes_convolution(part, name, tensor) else tensor
        for part, state in parts.items()
        for name, tensor in state.items()
    }


def _becomes_convolution(part: str, name: str, tensor: Tensor) -> bool:
    return part == "vae" and tensor.ndim == 2 and keymap.is_vae_projection(keymap.current_vae_name(name))


def _as_convolution(tensor: Tensor) -> Tensor:
    return tensor[:, :, None, None]
