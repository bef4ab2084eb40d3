"""How well a model of the zoo draws what it is asked for, on prompts that were not in its training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from numpy.typing import NDArray

from graphflow.zoo.captions import parse_caption
from graphflow.zoo.judge import Verdict, judge
from graphflow.zoo.scenes import held_out_scene

__all__ = ["TARGETS", "Figure", "draw_prompts", "held_out_prompts", "measure", "reconstruction_psnr"]

Pictures = list[NDArray[np.uint8]]
BATCH = 16

TARGETS: dict[str, float] = {
    "one object: colour": 0.95,
    "one object: shape": 0.88,
    "one object: background": 0.97,
    "one object: place, when named": 0.88,
    "two objects: both colours": 0.88,
    "two objects: both bound to their shapes": 0.65,
    "autoencoder: PSNR in dB": 29.0,
}


@dataclass(frozen=True)
class Figure:
    """One line of the table: a share of right pictures (0 to 1) or a PSNR in dB, and how many pictures it is taken over."""

    name: str
    value: float
    pictures: int

    @property
    def reached(self) -> bool:
        """Whether the figure meets its target."""
        return self.value >= TARGETS[self.name]


def held_out_prompts(count: int, *, objects: int, seed: int = 0) -> list[str]:
    """Captions of scenes whose combinations were kept out of training."""
    rng = np.random.default_rng((seed, objects))
    return [held_out_scene(rng, objects=objects).caption(rng) for _ in range(count)]


def draw_prompts(pipeline: StableDiffusionPipeline, prompts: Sequence[str], *, steps: int, guidance: float) -> Pictures:
    """One picture per prompt; the seed of each is its number in the list."""
    pipeline.set_progress_bar_config(disable=True)
    pictures: Pictures = []
    for start in range(0, len(prompts), BATCH):
        batch = list(prompts[start : start + BATCH])
        noise = [torch.Generator().manual_seed(start + number) for number in range(len(batch))]
        images = pipeline(
            batch, num_inference_steps=steps, guidance_scale=guidance, generator=noise, output_type="np"
        ).images
        pictures += [np.rint(image * 255).astype(np.uint8) for image in images]
    return pictures


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, *, scenes: int, seed: int = 1) -> float:
    """Mean peak signal-to-noise ratio in dB of new scenes after encoding and decoding."""
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(scenes):
        picture = held_out_scene(rng).draw()
        tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        decoded = vae.decode(vae.encode(tensor).latent_dist.mean).sample.clamp(-1.0, 1.0)
        back = ((decoded[0].permute(1, 2, 0) + 1.0) * 127.5).round().numpy()
        ratios.append(10.0 * np.log10(255.0**2 / np.mean((back - picture.astype(np.float32)) ** 2)))
    return float(np.mean(ratios))


def measure(folder: Path, *, prompts: int, steps: int, guidance: float) -> list[Figure]:
    """All figures of a model folder: `prompts` pictures with one object and as many with two."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    figures: list[Figure] = []
    for objects, lines in ((1, _ONE_OBJECT), (2, _TWO_OBJECTS)):
        asked = held_out_prompts(prompts, objects=objects)
        drawn = draw_prompts(pipeline, asked, steps=steps, guidance=guidance)
        verdicts = [(prompt, judge(picture, prompt)) for prompt, picture in zip(asked, drawn, strict=True)]
        figures += _figures(verdicts, lines)
    figures.append(Figure("autoencoder: PSNR in dB", reconstruction_psnr(pipeline.vae, scenes=prompts), prompts))
    return figures


Lines = dict[str, Callable[[Verdict], bool]]
_ONE_OBJECT: Lines = {
    "one object: colour": lambda verdict: verdict.colour,
    "one object: shape": lambda verdict: verdict.shape,
    "one object: background": lambda verdict: verdict.background,
    "one object: place, when named": lambda verdict: verdict.place,
}
_TWO_OBJECTS: Lines = {
    "two objects: both colours": lambda verdict: verdict.colour,
    "two objects: both bound to their shapes": lambda verdict: verdict.bound,
}


def _figures(verdicts: list[tuple[str, Verdict]], lines: Lines) -> Iterator[Figure]:
    for name, is_right in lines.items():
        counted = [is_right(verdict) for prompt, verdict in verdicts if "place" not in name or _names_place(prompt)]
        yield Figure(name, sum(counted) / max(len(counted), 1), len(counted))


def _names_place(prompt: str) -> bool:
    return any(item.place for item in parse_caption(prompt).objects)
