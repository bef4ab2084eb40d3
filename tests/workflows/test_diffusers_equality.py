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


def latents_of(app: App, file: Path, *settings: str) -> dict[str, Tensor]:
    """Latents of a workflow in fp32: what its sampler gives, and what its encoder gives."""
    document = app.load(file)
    latents = {name: f"{name}.latent" for name in ("sample", "encode") if name in document.nodes}
    document.outputs.update(latents)
    given = [f"prompt={PROMPT}", f"seed={SEED}", f"steps={STEPS}", "precision=fp32", *settings]
    report = app.run(app.prepare_document(set_params(document, given, app.registry)))
    assert report.status == "succeeded", report.message or report.failures
    return {name: report.outputs[name].samples for name in latents}


def assert_equal(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    assert ours.dtype == theirs.dtype == torch.float32
    assert float((ours - theirs).norm() / theirs.norm()) < tolerance


def own_settings(pipeline: Any) -> tuple[str, ...]:
    """The sampler that the model's folder names, as settings of a workflow."""
    config = pipeline.scheduler.config
    assert type(pipeline.scheduler).__name__ == "DPMSolverMultistepScheduler"
    schedule = "karras" if config.use_karras_sigmas else "normal"
    return "sampler=dpmpp_2m", f"schedule={schedule}", f"sample.spacing={config.timestep_spacing}"


def test_the_models_own_pipeline_gives_the_same(app: App, workflows: Path, pipeline: Any) -> None:
    theirs = call(pipeline, guidance_scale=7.0)
    ours = latents_of(app, workflows / "text_to_image.json", "guidance=7.0", *own_settings(pipeline))
    assert_equal(ours["sample"], theirs)


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
    assert_equal(latents_of(app, workflows / "text_to_image.json", *settings)["sample"], theirs)


def test_a_picture_is_changed_alike(app: App, workflows: Path, pipeline: Any) -> None:
    changing = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    changing.set_progress_bar_config(disable=True)
    settings = ("strength=0.6", "guidance=5.0", *own_settings(pipeline))
    ours = latents_of(app, workflows / "image_to_image.json", *settings)
    with Pil.open(workflows / "inputs" / "red_circle_on_sand.png") as picture:
        pixels = changing.image_processor.preprocess(picture.convert("RGB"))
    with torch.no_grad():
        encoded = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
    # Even colours have next to no variance, and the norms of the encoder magnify what rounding leaves of it.
    assert_equal(ours["encode"], encoded, tolerance=2e-4)
    assert_equal(ours["sample"], call(changing, image=ours["encode"], strength=0.6, guidance_scale=5.0))


def call(pipeline: Any, **settings: Any) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    found: Tensor = pipeline(
        PROMPT, num_inference_steps=STEPS, generator=generator, output_type="latent", **settings
    ).images
    return found
