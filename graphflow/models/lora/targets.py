"""Which weights of a network a LoRA changes; all of its keys find their place, or it is an error that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models import keymap
from graphflow.models.description import ModelDescription
from graphflow.models.lora.adapter import LoraFile, LoraLayer
from graphflow.models.lora.delta import same_size, unscaled_delta
from graphflow.models.lora.mismatch import Misfits, mismatch_message, text_width
from graphflow.models.lora.names import flat
from graphflow.ports.model import ModelRecipe

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a network's weights by name."""


@dataclass(frozen=True)
class Target:
    """A change of a LoRA file, and the layer of the network that it changes."""

    change: LoraLayer
    path: str
    """Of the layer, as the network has it."""


def find_targets(lora: LoraFile, part: str, *, shapes: Shapes, title: str) -> list[Target]:
    """The layers that a LoRA changes in a network with weights of these shapes.

    Raises ModelMismatch naming every key that finds no layer or a layer of another size; `title` names the model in it.
    """
    layers = layer_paths(shapes)
    targets: list[Target] = []
    nowhere: list[LoraLayer] = []
    misshapen: list[str] = []
    for change in lora.of_part(part):
        path = layers.get(change.layer)
        if path is None:
            nowhere.append(change)
        elif problem := _misfit(lora, change, path, shapes):
            misshapen.append(problem)
        else:
            targets.append(Target(change, path))
    if nowhere or misshapen:
        found = Misfits(
            nowhere=tuple(key for change in nowhere for key in change.keys),
            misshapen=tuple(misshapen),
            layers=len(nowhere) + len(misshapen),
            fitting=len(targets),
            text_width=text_width(shapes),
        )
        raise ModelMismatch(mismatch_message(lora, part, found, title=title))
    return targets


def check_fits(lora: LoraFile, bases: Sequence[tuple[ModelRecipe, ModelDescription]]) -> None:
    """Raise ModelMismatch unless all that a LoRA changes in these models fits, and it changes at least one of them."""
    for base, description in bases:
        shapes = {name: header.shape for name, header in description.parts[base.part].tensors.items()}
        find_targets(lora, base.part, shapes=shapes, title=f'"{base.file}" ({base.family})')
    if bases and not any(base.part in lora.parts for base, _ in bases):
        wanted, held = (" and ".join(parts) for parts in ([base.part for base, _ in bases], lora.parts))
        raise ModelMismatch(
            f"{lora.path} changes the {held} of a model, but it is put on the {wanted} "
            f'of "{bases[0][0].file}" ({bases[0][0].family}). Use a LoRA that was trained on a model of this family.'
        )


def layer_paths(names: Iterable[str]) -> dict[str, str]:
    """Paths of a network's layers by their flat spelling, that of the original layout included where it has one."""
    weights = list(names)
    paths = dict.fromkeys(name.rpartition(".")[0] for name in weights)
    found = {flat(path): path for path in paths}
    outline = keymap.outline_of_diffusers(weights)
    if outline.levels:
        renaming = keymap.unet_renaming(outline)
        for path in paths:
            if (original := renaming.original(f"{path}.weight")) is not None:
                found.setdefault(flat(original.removesuffix(".weight")), path)
    return found


def _misfit(lora: LoraFile, change: LoraLayer, path: str, shapes: Shapes) -> str:
    """Why a change does not fit the layer; empty if it does."""
    weight, bias = shapes.get(f"{path}.weight"), shapes.get(f"{path}.bias")
    on_meta = {slot: torch.empty(header.shape, device="meta") for slot, header in change.tensors.items()}
    try:
        product = unscaled_delta(on_meta)
    except ValueError as error:
        raise ModelError(f"{lora.path} is damaged: {change.keys[0]}: {error}") from error
    if product is not None and (weight is None or not same_size(tuple(product.shape), weight)):
        return f"{change.keys[0]} (changes {list(product.shape)}, the layer has {_shown(weight)})"
    for slot in ("diff_b", "up_bias"):
        if slot in on_meta and (bias is None or tuple(on_meta[slot].shape) != bias):
            return f"{change.tensors[slot].name} (changes {list(on_meta[slot].shape)}, the bias has {_shown(bias)})"
    lengths = next((on_meta[slot] for slot in ("dora_scale", "magnitude") if slot in on_meta), None)
    if lengths is not None and (weight is None or lengths.numel() not in weight[:2]):
        return f"{change.keys[0]} (has {list(lengths.shape)} lengths, the layer has {_shown(weight)})"
    return ""


def _shown(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else str(list(shape))
