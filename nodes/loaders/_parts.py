"""Taking parts out of a model file, for the nodes that load them."""

from dataclasses import replace
from typing import Literal, TypeVar

from graphflow import Checkpoint, ModelError, ModelRecipe, TextEncoder

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""Number formats of weights that an artist can choose."""

R = TypeVar("R", bound=ModelRecipe)


def part_of(checkpoint: Checkpoint, name: str, kind: type[R], *, precision: Precision) -> R:
    """The recipe of a part. Raises ModelError, saying what the file holds, when it lacks the part."""
    recipe = checkpoint.parts.get(name)
    if not isinstance(recipe, kind):
        held = " and ".join(sorted(checkpoint.parts)) or "nothing that graphflow knows"
        raise ModelError(
            f'"{checkpoint.file}" holds {held}, but no {name}; it is of the family {checkpoint.family}. '
            f"Choose a file with a {name} in it; files of one part are opened by load_denoiser, load_text_encoder, load_vae and load_controlnet"
        )
    return replace(recipe, precision=precision)


def text_encoder_of(checkpoint: Checkpoint, *, precision: Precision) -> TextEncoder:
    """What reads prompts: where the family reads with two encoders, both as one; the second alone for XL's refiner."""
    if "text_encoder_2" not in checkpoint.parts:
        return part_of(checkpoint, "text_encoder", TextEncoder, precision=precision)
    second = part_of(checkpoint, "text_encoder_2", TextEncoder, precision=precision)
    if "text_encoder" not in checkpoint.parts:
        return second
    return replace(part_of(checkpoint, "text_encoder", TextEncoder, precision=precision), second=second)
