"""The same noise and the same settings give the same latents as a plain diffusers pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image as Pil
from torch import Tensor

from graphflow.app import ZOO_FOLDER, App
from graphflow.graph import set_params

PROMPT = "a small blue star and a big green ring on night"
SEED = 5
STEPS = 8


@pytest.fixture(scope="module")
def pipeline() -> Any:
    found = StableDiffusionPipeline.from_pretrained(ZOO_FOLDER / "tiny-sd", torch_dtype=torch.float32)
    found.set_progress_bar_config(disable=True)
    return found


def latents_of(app: App, file: Path, *settings: str) -> Tensor:
    """What the sampler of a workflow gives, in fp32."""
    document = app.load(file)
    document.outputs["latent"] = "sample.latent"
    given = [f"prompt={PROMPT}", f"seed={SEED}", f"steps={STEPS}", "precision=fp32", *settings]
    report = app.run(app.prepare_document(set_params(document, given, app.registry)))
    assert report.status == "succeeded", report.message or report.failures
    samples: Tensor = report.outputs["latent"].samples
    return samples


def assert_equal(ours: Tensor, theirs: Tensor) -> None:
    assert ours.dtype == theirs.dtype == torch.float32
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


def test_the_defaults_are_those_of_the_models_own_pipeline(app: App, workflows: Path, pipeline: Any) -> None:
    theirs = call(pipeline, guidance_scale=7.0)
    assert_equal(latents_of(app, workflows / "text_to_image.json", "guidance=7.0"), theirs)


@pytest.mark.parametrize(
    ("sampler", "scheduler", "karras"),
    [
        ("euler", "EulerDiscreteScheduler", False),
        ("euler", "EulerDiscreteScheduler", True),
        ("euler_a", "EulerAncestralDiscreteScheduler", False),
        ("ddim", "DDIMScheduler", False),
        ("dpmpp_2m", "DPMSolverMultistepScheduler", False),
        ("dpmpp_2m", "DPMSolverMultistepScheduler", True),
        ("pndm", "PNDMScheduler", False),
    ],
)
def test_every_sampler_gives_what_its_scheduler_gives(
    app: App, workflows: Path, pipeline: Any, sampler: str, scheduler: str, karras: bool
) -> None:
    stable_diffusion = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }
    if sampler in ("ddim", "pndm"):
        stable_diffusion |= {"set_alpha_to_one": False}
    if sampler == "ddim":
        stable_diffusion |= {"clip_sample": False}
    if sampler == "pndm":
        stable_diffusion |= {"skip_prk_steps": True}
    if karras:
        stable_diffusion |= {"use_karras_sigmas": True}
    own = pipeline.scheduler
    pipeline.scheduler = getattr(diffusers, scheduler)(**stable_diffusion)
    try:
        theirs = call(pipeline, guidance_scale=5.0)
    finally:
        pipeline.scheduler = own
    schedule = "karras" if karras else "normal"
    settings = (f"sampler={sampler}", f"schedule={schedule}", "guidance=5.0")
    assert_equal(latents_of(app, workflows / "text_to_image.json", *settings), theirs)


def test_a_picture_is_changed_alike(app: App, workflows: Path, pipeline: Any) -> None:
    changing = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    changing.set_progress_bar_config(disable=True)
    file = workflows / "image_to_image.json"
    with Pil.open(workflows / "inputs" / "red_circle_on_sand.png") as picture:
        pixels = changing.image_processor.preprocess(picture.convert("RGB"))
    with torch.no_grad():
        latents = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
    theirs = call(changing, image=latents, strength=0.6, guidance_scale=5.0)
    assert_equal(latents_of(app, file, "strength=0.6", "guidance=5.0"), theirs)


def call(pipeline: Any, **settings: Any) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    found: Tensor = pipeline(
        PROMPT, num_inference_steps=STEPS, generator=generator, output_type="latent", **settings
    ).images
    return found
