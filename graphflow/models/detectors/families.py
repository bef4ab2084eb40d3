"""The families of Stable Diffusion, and what their shapes don't tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphflow.ports.model import NoiseSpec


@dataclass(frozen=True)
class DiffusionFamily:
    """A family, and the published values of what no shape tells."""

    name: str
    title: str
    head_count: int | None
    """Attention heads at every level; None for heads of `HEAD_WIDTH` channels."""
    sample_size: int
    """Latent pixels along one side that the family was trained on."""
    scaling_factor: float
    """Latents = factor * what the autoencoder makes."""
    noise: NoiseSpec
    open_clip: frozenset[str] = frozenset()
    """Text encoders that OpenCLIP trained: they use GELU, and pad prompts with token 0."""
    latent_space: str = "sd"
    """Families that share an autoencoder share its latents, and this name for them."""


HEAD_WIDTH = 64

SD15 = DiffusionFamily("sd15", "Stable Diffusion 1.x, any size", 8, 64, 0.18215, NoiseSpec())
SD2 = DiffusionFamily(
    "sd2",
    "Stable Diffusion 2.x, any size",
    None,
    96,
    0.18215,
    NoiseSpec(prediction="v_prediction"),
    frozenset({"text_encoder"}),
)
SDXL = DiffusionFamily(
    "sdxl",
    "Stable Diffusion XL, any size",
    None,
    128,
    0.13025,
    NoiseSpec(),
    frozenset({"text_encoder_2"}),
    latent_space="sdxl",
)
SDXL_REFINER = DiffusionFamily(
    "sdxl_refiner",
    "Stable Diffusion XL refiner",
    None,
    128,
    0.13025,
    NoiseSpec(),
    frozenset({"text_encoder_2"}),
    latent_space="sdxl",
)

DIFFUSION_FAMILIES = (SD15, SD2, SDXL, SDXL_REFINER)

BASE_SIZE_NUMBERS = 6
"""Numbers that Stable Diffusion XL is told of a picture: original height and width, crop top and left, target height and width."""
REFINER_SIZE_NUMBERS = 5
"""Numbers that its refiner is told: original height and width, crop top and left, aesthetic score."""
SIZE_NUMBER_WIDTH = 256
"""Width of the embedding of each of them."""


def head_counts(family: DiffusionFamily, channels: Sequence[int], attended: Sequence[int]) -> int | list[int]:
    """Attention heads by level, nearest to the family's that these channels allow; one number where all levels have it."""
    if family.head_count is not None:
        return largest_common(attended, family.head_count)
    return [channel // largest_common([channel], HEAD_WIDTH) for channel in channels]


def largest_common(channels: Sequence[int], limit: int) -> int:
    """Largest number up to `limit` that divides all channel counts."""
    return next(number for number in range(limit, 0, -1) if all(channel % number == 0 for channel in channels))
