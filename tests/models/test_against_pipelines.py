"""From a single file to latents: what the pipelines of diffusers make of the same weights."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from graphflow.diffusion import (
    CfgGuider,
    UNetDenoiser,
    draw_noise,
    encode_prompt,
    left_latents,
    make_schedule,
    sample,
    start_latents,
)
from graphflow.models.store import ModelStore
from graphflow.ports import Denoiser, TextEncoder
from tests.models.test_tokenizers import write_tokenizer
from tests.models.tiny_families import networks_of, states_of, write_original


def test_stable_diffusion_2_samples_what_its_pipeline_samples(store: ModelStore) -> None:
    networks: dict[str, Any] = {part: network.eval() for part, network in networks_of("sd2").items()}
    write_original(store.catalog.models_folder / "checkpoints" / "sd2.safetensors", "sd2", states_of(networks))
    write_tokenizer(store.catalog.models_folder / "tokenizers" / "clip-vit-large-patch14", ["a", "red", "fox"])
    parts = store.inspect("sd2").parts
    text, denoiser = parts["text_encoder"], parts["unet"]
    assert isinstance(text, TextEncoder)
    assert isinstance(denoiser, Denoiser)
    tokenizer = store.tokenizer(text)
    generator = torch.Generator().manual_seed(3)
    noise = draw_noise((1, 4, 8, 8), generator)

    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        networks["vae"], networks["text_encoder"], tokenizer, networks["unet"], scheduler, None, None, None, False
    )
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        "a red fox",
        negative_prompt="a fox",
        height=16,
        width=16,
        num_inference_steps=4,
        guidance_scale=3.0,
        latents=noise.clone(),
        output_type="latent",
    ).images

    with store.use(text) as encoder:
        positive, negative = (encode_prompt(encoder, tokenizer, prompt) for prompt in ("a red fox", "a fox"))
    schedule = make_schedule(denoiser.noise, "ddim", steps=4, kind="normal", spacing="leading")
    with store.use(denoiser) as unet:
        guider = CfgGuider(UNetDenoiser(unet), positive, negative, 3.0, denoiser.noise)
        start = start_latents(torch.zeros_like(noise), noise, schedule)
        result = left_latents(sample(guider, start, schedule, generator=generator), schedule)
    assert float((result - expected).abs().max() / expected.abs().max()) < 1e-5
