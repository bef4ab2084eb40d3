"""The bundled model draws what it is asked for; the full table is made by benchmarks/zoo_quality.py."""

from functools import lru_cache

import torch
from diffusers import StableDiffusionPipeline

from graphflow.zoo import MODELS, bundled_models
from graphflow.zoo.export import folder_bytes
from graphflow.zoo.judge import judge
from graphflow.zoo.quality import draw_prompts, held_out_prompts, reconstruction_psnr
from graphflow.zoo.scenes import is_held_out, parse_caption

TINY_SD = MODELS / "tiny-sd"


@lru_cache(maxsize=1)
def tiny_sd() -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(TINY_SD, dtype=torch.float32)


def test_the_model_is_bundled_and_small() -> None:
    assert bundled_models()["tiny-sd"] == TINY_SD
    assert folder_bytes(TINY_SD) <= 8_000_000


def test_prompts_come_from_outside_of_the_training() -> None:
    for objects in (1, 2):
        assert all(is_held_out(parse_caption(prompt)) for prompt in held_out_prompts(50, objects=objects))


def test_pictures_show_what_the_prompts_say() -> None:
    prompts = held_out_prompts(16, objects=1, seed=3)
    pictures = draw_prompts(tiny_sd(), prompts, steps=20, guidance=5.0)
    verdicts = [judge(picture, prompt) for picture, prompt in zip(pictures, prompts, strict=True)]
    assert sum(verdict.colour for verdict in verdicts) >= 14
    assert sum(verdict.shape for verdict in verdicts) >= 13
    assert sum(verdict.background for verdict in verdicts) >= 14


def test_the_autoencoder_gives_scenes_back() -> None:
    assert reconstruction_psnr(tiny_sd().vae, scenes=6) >= 29.0
