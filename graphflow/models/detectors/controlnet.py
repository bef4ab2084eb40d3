"""ControlNets of Stable Diffusion 1, 2 and XL: which of them a source is for, and its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import UnknownModelFormat
from graphflow.models import keymap
from graphflow.models.description import Layout, ModelDescription, PartDescription, check_config
from graphflow.models.detectors.families import SD2, SD15, SDXL, DiffusionFamily
from graphflow.models.detectors.sizes import controlnet_sizes
from graphflow.models.headers import TensorHeader
from graphflow.models.source import ModelSource, class_of
from graphflow.ports.model import ControlNet

PART = "controlnet"
CLASS = "ControlNetModel"
"""diffusers' class of the ControlNets that are read here."""

_PREFIX = "control_model."
"""Where an original file has its ControlNet; the largest of them hold a whole checkpoint beside it."""
_EYE = "controlnet_cond_embedding.conv_in.weight"
_ORIGINAL_EYE = "input_hint_block.0.weight"
"""The layer that looks at the picture, in either layout."""
_RELATIVES = {
    "task_embedding": "a union ControlNet, which knows several kinds of pictures",
    "lora_controlnet": "a control LoRA, which is a ControlNet only together with a checkpoint",
    "down_blocks.0.base_to_ctrl.0.weight": "a ControlNet-XS, which is built into a UNet",
    "adapter.body.0.resnets.0.block1.weight": "a T2I-Adapter",
    "body.0.block1.weight": "a T2I-Adapter",
}
"""Tensors of models of the same purpose that work otherwise, and what they are."""


def detect(source: ModelSource) -> ModelDescription | None:
    """Describe a ControlNet; None if the source is none. Raises UnknownModelFormat for a relative that works otherwise."""
    found = _tensors_and_config(source)
    if found is None:
        return None
    tensors, config = found
    for mark, title in _RELATIVES.items():
        if mark in tensors:
            raise UnknownModelFormat(
                f"{source.path} is {title}; graphflow reads ControlNets of one kind of picture each, for Stable Diffusion 1.5, "
                "2.x and XL, in the layouts of diffusers and of the original files"
            )
    if _EYE not in tensors and _ORIGINAL_EYE not in tensors:
        return None
    is_original = _ORIGINAL_EYE in tensors
    named, unknown = _renamed(tensors) if is_original else (tensors, ())
    family = _family_of(named)
    given = {**config, **source.hints.get(PART, {})}
    if (sizes := controlnet_sizes(named, family, said=given)) is None:
        return None
    check_config(source.path, PART, config=given, shapes=sizes.seen)
    described = PartDescription(
        {**sizes.seen, **sizes.assumed, **given},
        named,
        ControlNet(file="", fingerprint="", family=family.name, part=PART),
        unknown,
    )
    assumed = {f"{PART}.{key}": str(value) for key, value in sizes.assumed.items() if key not in given}
    layout: Layout = "original" if is_original else "diffusers"
    return ModelDescription(source.path, family.name, layout, {PART: described}, assumed=assumed)


def _tensors_and_config(source: ModelSource) -> tuple[Mapping[str, TensorHeader], Mapping[str, Any]] | None:
    """The tensors of what may be a ControlNet, without prefix, and its configuration; None for a folder of several networks."""
    if len(source.components) > 1:
        return None
    for component in source.components.values():
        return component.headers.tensors, component.config
    inside = keymap.with_prefix(source.headers.tensors, _PREFIX)
    return inside or source.headers.tensors, source.own_config if class_of(source.own_config) == CLASS else {}


def _renamed(tensors: Mapping[str, TensorHeader]) -> tuple[dict[str, TensorHeader], tuple[str, ...]]:
    """The tensors under diffusers' names, and the keys that have none."""
    outline = keymap.outline_of_original(tensors)
    if outline is None:
        return {}, tuple(tensors)
    renaming = keymap.controlnet_renaming(outline, keymap.count_hints(tensors))
    named, unknown = keymap.renamed(tensors, renaming.diffusers)
    return named, tuple(unknown)


def _family_of(tensors: Mapping[str, TensorHeader]) -> DiffusionFamily:
    """As for UNets: one that embeds a vector is XL's, one with linear layers around its transformers 2's, else it is 1's."""
    if f"{keymap.ADD_EMBEDDING}.linear_1.weight" in tensors:
        return SDXL
    projection = tensors.get("mid_block.attentions.0.proj_in.weight")
    return SD2 if projection is not None and len(projection.shape) == 2 else SD15
