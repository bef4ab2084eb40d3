"""How the work is shared between a model that begins a picture and one that finishes it. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from graphflow.ports.noise import Noise
from graphflow.ports.schedule import NoiseSchedule

RefineMethod = Literal["hand over", "image to image"]

Stage = tuple[NoiseSchedule, Noise]


def refine_stages(schedule: NoiseSchedule, noise: Noise, *, share: float, method: RefineMethod) -> tuple[Stage, Stage]:
    """Schedule and noise of the base and of its refiner; `share`, above 0 and below 1, is the base's.

    `hand over`: one way, cut where the training steps reach the share, as with denoising_end and denoising_start of diffusers (Podell et
    al., arXiv 2307.01952, section 2.5). `image to image`: the whole way, then the last `1 - share` of it once more, with noise of the
    next seeds (Meng et al., arXiv 2108.01073).
    """
    if method == "hand over":
        return (replace(schedule, end=share), noise), (replace(schedule, start=share), replace(noise, is_added=False))
    anew = Noise(tuple(seed + 1 for seed in noise.seeds))
    return (schedule, noise), (replace(schedule, strength=round(1 - share, 6)), anew)
