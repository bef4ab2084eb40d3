"""Which tensors of a model file are whose: the networks of Stable Diffusion in each layout, under the names they have in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from graphflow.models import keymap, open_clip
from graphflow.models.headers import TensorHeader
from graphflow.models.source import ModelSource, class_of

Tensors = Mapping[str, TensorHeader]

_CLASSES = {
    "UNet2DConditionModel": "unet",
    "AutoencoderKL": "vae",
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "text_encoder_2",
}
"""Part by class, for a network that is alone."""
_CONTROLNET_CLASS = "ControlNetModel"
"""What a pipeline's folder may hold beside a checkpoint; it is opened by the name of its own folder."""
_TEXT_CLASSES = ("CLIPTextModel", "CLIPTextModelWithProjection")
_TEXT_PARTS = ("text_encoder", "text_encoder_2")

_PREFIXES = {
    "model.diffusion_model.": "unet",
    "first_stage_model.": "vae",
    "cond_stage_model.transformer.": "text_encoder",
    "cond_stage_model.model.": "text_encoder",
    "conditioner.embedders.0.transformer.": "text_encoder",
    "conditioner.embedders.0.model.": "text_encoder_2",
    "conditioner.embedders.1.model.": "text_encoder_2",
    "unet.": "unet",
    "vae.": "vae",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
}
"""Where a whole checkpoint has its parts."""
_FOREIGN = ("control_model.", "conditioner.embedders.0.open_clip.", "embedder.")
"""Keys of ControlNets, video models and image-conditioned models, whose other keys look like ours."""
_FOREIGN_PARTS = ("controlnet_cond_embedding.", "input_hint_block.")
_FOREIGN_INSIDE = (".time_stack.", ".time_mix", ".temporal_", "label_emb.weight", "class_embedding.weight")
"""Parts of keys of video models, and of upscalers that are told the noise level."""
_LEFT_BY_TRAINING = ("model_ema.", "loss.", "lpips.", "discriminator.")
_TEXT_BUFFERS = ("embeddings.position_ids", "logit_scale")
_OPEN_CLIP_LAYERS = 24
"""Layers of the text encoder that Stable Diffusion 2 took, the last included."""
_WIDTH_OF_SECOND = 1280
"""Narrowest text encoder with a projection that is taken for Stable Diffusion XL's second one when it is alone."""


class Part(NamedTuple):
    """One network of a source."""

    tensors: Tensors
    """By the name that the network has in memory."""
    config: Mapping[str, Any]
    """What its configuration file says."""
    unknown: tuple[str, ...] = ()
    """Keys that no network has."""
    is_original: bool = False
    """Whether the file has the names of the original layout."""
    is_open_clip: bool = False
    """Whether a text encoder is laid out as OpenCLIP's."""


def find_parts(source: ModelSource) -> dict[str, Part]:
    """Networks of a source by part name; empty if some of it belongs to a family that is not Stable Diffusion."""
    found = _parts_of_folder(source) if source.components else _parts_of_file(source)
    return {
        name: _named(name, tensors, config, source.hints.get(name, {})) for name, (tensors, config) in found.items()
    }


_Found = dict[str, tuple[Tensors, Mapping[str, Any]]]
"""Tensors by their names in the file, and the configuration, by part."""


def _parts_of_folder(source: ModelSource) -> _Found:
    found: _Found = {}
    for place, component in source.components.items():
        if component.class_name == _CONTROLNET_CLASS:
            continue
        alone = _CLASSES.get(component.class_name)
        name = place if place in _TEXT_PARTS and component.class_name in _TEXT_CLASSES else alone
        tensors = component.headers.tensors
        if name is None or name in found or _is_foreign(tensors) or _has_other_vectors(component.config):
            return {}
        found[name] = (tensors, component.config)
    return found


def _has_other_vectors(config: Mapping[str, Any]) -> bool:
    """Whether a UNet's configuration asks for other vectors than Stable Diffusion's UNets take."""
    others = (config.get("class_embed_type"), config.get("num_class_embeds"), config.get("encoder_hid_dim_type"))
    return config.get("addition_embed_type") not in (None, "text_time") or any(other is not None for other in others)


def _parts_of_file(source: ModelSource) -> _Found:
    """Parts of a file: by the prefixes of a whole checkpoint, else the one part that the file is."""
    tensors = source.headers.tensors
    if _is_foreign(tensors):
        return {}
    whole: _Found = {}
    for prefix, name in _PREFIXES.items():
        if name not in whole and (inside := keymap.with_prefix(tensors, prefix)):
            whole[name] = (inside, {})
    if whole:
        return whole
    single = _CLASSES.get(class_of(source.own_config)) or _single_part(tensors)
    return {single: (tensors, source.own_config)} if single else {}


def _is_foreign(names: Iterable[str]) -> bool:
    return any(
        name.startswith((*_FOREIGN, *_FOREIGN_PARTS)) or any(inside in name for inside in _FOREIGN_INSIDE)
        for name in names
    )


def _single_part(tensors: Tensors) -> str | None:
    """Which network a file without prefixes is."""
    if {"time_embedding.linear_1.weight", "conv_out.weight"} <= tensors.keys():
        return "unet"
    if {"time_embed.0.weight", "out.2.weight"} <= tensors.keys():
        return "unet"
    if {"encoder.conv_in.weight", "decoder.conv_out.weight"} <= tensors.keys():
        return "vae"
    names = {keymap.text_name(name): tensor for name, tensor in tensors.items()}
    embedding = names.get("embeddings.token_embedding.weight") or (
        names.get("token_embedding.weight") if open_clip.MARK in names else None
    )
    if embedding is None:
        return None
    is_projected = any(key in names for key in (open_clip.PROJECTION, "text_projection"))
    return "text_encoder_2" if is_projected and embedding.shape[-1] >= _WIDTH_OF_SECOND else "text_encoder"


def _named(name: str, tensors: Tensors, config: Mapping[str, Any], hints: Mapping[str, Any]) -> Part:
    """The part with its tensors under the names that the network has."""
    if name in _TEXT_PARTS:
        return _named_text_encoder(name, tensors, config)
    tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(_LEFT_BY_TRAINING)}
    rename = _vae_rename(tensors) if name == "vae" else _unet_rename(tensors, {**config, **hints})
    if rename is None:
        named = {keymap.current_vae_name(key): tensor for key, tensor in tensors.items()} if name == "vae" else tensors
        return Part(named, config)
    known, unknown = keymap.renamed(tensors, rename)
    return Part(known, config, tuple(unknown), is_original=True)


def _named_text_encoder(name: str, tensors: Tensors, config: Mapping[str, Any]) -> Part:
    is_open_clip = open_clip.MARK in tensors
    unknown: tuple[str, ...] = ()
    if is_open_clip:
        named, unknown = open_clip.transformers_tensors(tensors)
    else:
        named = {keymap.text_name(key): tensor for key, tensor in tensors.items()}
    named = {key: tensor for key, tensor in named.items() if key not in _TEXT_BUFFERS}
    if name == "text_encoder_2":  # a model with a projection keeps the rest under `text_model`
        named = {
            key if key == open_clip.PROJECTION else keymap.TEXT_MODEL + key: tensor for key, tensor in named.items()
        }
    else:
        projection = named.pop(open_clip.PROJECTION, None)
        if is_open_clip:
            named = _without_unread_layer(named, is_whole=projection is not None)
    return Part(named, config, unknown, is_original=is_open_clip, is_open_clip=is_open_clip)


def _without_unread_layer(named: Tensors, *, is_whole: bool) -> dict[str, TensorHeader]:
    """Stable Diffusion 2 reads the last layer but one of its text encoder, and norms it; the last layer is never used.

    A file that was made from a diffusers folder lacks that layer, and the projection, already.
    """
    layers = keymap.count(named, "encoder.layers.{}.layer_norm1.weight")
    if not is_whole and layers != _OPEN_CLIP_LAYERS:
        return dict(named)
    last = f"encoder.layers.{layers - 1}."
    return {key: tensor for key, tensor in named.items() if not key.startswith(last)}


def _vae_rename(tensors: Tensors) -> Callable[[str], str | None] | None:
    """How to name an autoencoder's original keys; None for the diffusers layout."""
    if "encoder.mid.block_1.conv1.weight" not in tensors:
        return None
    levels = keymap.count(tensors, "encoder.down.{}.block.0.conv1.weight")
    layers = keymap.count(tensors, "encoder.down.0.block.{}.conv1.weight")
    return keymap.vae_renaming(levels, layers).diffusers


def _unet_rename(tensors: Tensors, config: Mapping[str, Any]) -> Callable[[str], str | None] | None:
    """How to name a UNet's original keys; None for the diffusers layout, and for keys that count up as no UNet's do."""
    outline = keymap.outline_of_original(tensors) if "time_embed.0.weight" in tensors else None
    if outline is None:
        return None
    takes_vector = config.get("class_embed_type") == "projection"
    return keymap.unet_renaming(
        outline, vector=keymap.CLASS_EMBEDDING if takes_vector else keymap.ADD_EMBEDDING
    ).diffusers
