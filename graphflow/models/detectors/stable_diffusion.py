"""Stable Diffusion 1, 2 and XL, whole or a single network of one: which of them a source is, and its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.models import keymap
from graphflow.models.description import Layout, ModelDescription, PartDescription, check_config
from graphflow.models.detectors.families import (
    REFINER_SIZE_NUMBERS,
    SD2,
    SD15,
    SDXL,
    SDXL_REFINER,
    SIZE_NUMBER_WIDTH,
    DiffusionFamily,
)
from graphflow.models.detectors.parts import Part, find_parts
from graphflow.models.detectors.recipes import adapted_family, noise_spec, recipes
from graphflow.models.detectors.sizes import Sizes, text_encoder_sizes, unet_sizes, vae_sizes
from graphflow.models.source import ModelSource

_TEXT_KEYS = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
_PROJECTION_IN = "mid_block.attentions.0.proj_in.weight"
_LATENT_CHANNELS = 4
"""Of all these families; an autoencoder with more is another's, unless its configuration comes with it."""
_OPEN_CLIP_WIDTH = 1024
"""Width of the text encoder of Stable Diffusion 2, for one that is alone in the transformers layout."""


def detect(source: ModelSource) -> ModelDescription | None:
    """Describe a source of one of these families; None if it is something else."""
    parts = find_parts(source)
    if not parts:
        return None
    given = {name: {**part.config, **source.hints.get(name, {})} for name, part in parts.items()}
    family = _family_of(parts, given)
    if "unet" in parts and (entrance := parts["unet"].tensors.get("conv_in.weight")) is not None:
        family = adapted_family(family, in_channels=entrance.shape[1])
    configs: dict[str, dict[str, Any]] = {}
    assumed: dict[str, str] = {}
    for name in parts:
        sizes = _sizes(name, parts, family, given=given[name])
        if sizes is None:
            return None
        check_config(source.path, name, config=given[name], shapes=sizes.seen)
        assumed |= {f"{name}.{key}": str(value) for key, value in sizes.assumed.items() if key not in given[name]}
        configs[name] = {**sizes.seen, **sizes.assumed, **given[name]}
    noise, is_said = noise_spec(source, family)
    if "unet" in parts and family.name == SD2.name and not is_said:  # published with either, in the same shapes
        assumed["scheduler.prediction_type"] = noise.prediction
    made = recipes(source, family, configs, noise)
    layout: Layout = "original" if any(part.is_original for part in parts.values()) else "diffusers"
    described = {
        name: PartDescription(configs[name], part.tensors, made[name], part.unknown) for name, part in parts.items()
    }
    return ModelDescription(source.path, family.name, layout, described, source.tokenizers, assumed)


def _family_of(parts: Mapping[str, Part], given: Mapping[str, Mapping[str, Any]]) -> DiffusionFamily:
    """The family that the parts belong to.

    A UNet that embeds a vector is XL's, one with linear layers around its transformers is 2's, one with convolutions 1's.
    """
    if (unet := parts.get("unet")) is not None:
        if _vector_width(unet) is not None:
            return SDXL_REFINER if _is_refiner(parts, given["unet"]) else SDXL
        projection = unet.tensors.get(_PROJECTION_IN)
        return SD2 if projection is not None and len(projection.shape) == 2 else SD15
    if "text_encoder_2" in parts:
        return SDXL
    if (text := parts.get("text_encoder")) is not None:
        tokens = text.tensors.get("embeddings.token_embedding.weight")
        is_wide = tokens is not None and tokens.shape[-1] == _OPEN_CLIP_WIDTH
        return SD2 if text.is_open_clip or is_wide else SD15
    return SDXL if given["vae"].get("scaling_factor") == SDXL.scaling_factor else SD15


def _vector_width(unet: Part) -> int | None:
    """Width of the vector that a UNet embeds; None if it takes none."""
    for module in (keymap.ADD_EMBEDDING, keymap.CLASS_EMBEDDING):
        if (weight := unet.tensors.get(f"{module}.linear_1.weight")) is not None:
            return weight.shape[1]
    return None


def _is_refiner(parts: Mapping[str, Part], unet_config: Mapping[str, Any]) -> bool:
    """The refiner reads prompts with the second text encoder only: its text is as wide as that encoder's pooled text."""
    if {"text_encoder", "text_encoder_2"} & parts.keys():
        return "text_encoder" not in parts
    unet = parts["unet"]
    width, text = _vector_width(unet), unet.tensors.get(_TEXT_KEYS)
    number_width = int(unet_config.get("addition_time_embed_dim") or SIZE_NUMBER_WIDTH)
    return text is not None and width == text.shape[1] + REFINER_SIZE_NUMBERS * number_width


def _sizes(name: str, parts: Mapping[str, Part], family: DiffusionFamily, *, given: Mapping[str, Any]) -> Sizes | None:
    tensors = parts[name].tensors
    if name == "vae":
        sizes = vae_sizes(tensors, family)
        is_ours = sizes is not None and (sizes.seen["latent_channels"] == _LATENT_CHANNELS or "scaling_factor" in given)
        return sizes if is_ours else None
    if name == "unet":
        second = parts.get("text_encoder_2")
        projection = second.tensors.get("text_projection.weight") if second else None
        pooled_width = projection.shape[0] if projection else None
        return unet_sizes(tensors, family, said=given, pooled_width=pooled_width)
    return text_encoder_sizes(tensors, is_open_clip=name in family.open_clip)
