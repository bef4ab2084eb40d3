"""What to tell a user whose LoRA does not fit the model: which keys, and which family it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphflow.models.lora.adapter import LoraFile, listed

_TRAINED_ON = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name")
"""Metadata in which trainers say what a LoRA was made for."""

_FAMILY_OF_WIDTH = {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1280: "the refiner of Stable Diffusion XL",
    2048: "Stable Diffusion XL",
}
"""Families by the width of the text that their UNets attend to."""


@dataclass(frozen=True)
class Misfits:
    """What of a LoRA finds no place in a network."""

    nowhere: tuple[str, ...]
    """Keys that name layers which the network lacks."""
    misshapen: tuple[str, ...]
    """Layers of another size, each with both sizes."""
    layers: int
    """How many layers do not fit."""
    fitting: int
    """How many do."""
    text_width: int | None
    """Of the text that the network attends to."""


def text_width(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Width of the text that a UNet with weights of these shapes attends to; None if it attends to none."""
    return next((shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), None)


def mismatch_message(lora: LoraFile, part: str, found: Misfits, *, title: str) -> str:
    """The message; `title` names the model."""
    trained_for = _text_width_of(lora, part)
    other_text = trained_for is not None and found.text_width is not None and trained_for != found.text_width
    if other_text or found.layers > found.fitting:
        fitting = f"only {found.fitting} of {found.fitting + found.layers}" if found.fitting else "none"
        opening = f"{lora.path} is made for a model of another family or size than {title}; {fitting} of its layers fit the {part}"
    else:
        opening = f"{lora.path} does not apply as a whole to the {part} of {title}"
    if other_text:
        family = f", as {_FAMILY_OF_WIDTH[trained_for]} has" if trained_for in _FAMILY_OF_WIDTH else ""
        opening += f". It reads text {trained_for} wide{family}; this model's is {found.text_width} wide"
    causes = []
    if found.nowhere:
        causes.append(f"keys of layers that the model does not have ({len(found.nowhere)}): {listed(found.nowhere)}")
    if found.misshapen:
        causes.append(f"layers of another size ({len(found.misshapen)}): {listed(found.misshapen)}")
    said = [f"{name}: {lora.metadata[name]}" for name in _TRAINED_ON if lora.metadata.get(name)]
    origin = f" The file says what it was trained on: {', '.join(said)}." if said else ""
    return f"{opening}: {'; '.join(causes)}.{origin} Use a LoRA that was trained on a model of this family."


def _text_width_of(lora: LoraFile, part: str) -> int | None:
    changes = (layer for layer in lora.of_part(part) if layer.layer.endswith("attn2_to_k") and "down" in layer.tensors)
    return next((change.tensors["down"].shape[1] for change in changes if len(change.tensors["down"].shape) > 1), None)
