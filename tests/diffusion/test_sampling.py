from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Tensor

from graphflow.diffusion import (
    SAMPLERS,
    SCHEDULE_NAMES,
    CfgGuider,
    ScheduleName,
    UNetDenoiser,
    draw_noise,
    encode_pictures,
    latent_shape,
    left_latents,
    make_schedule,
    resumed_latents,
    sample,
    sigma_table,
    solvers,
    start_latents,
)
from graphflow.ports import Conditioning, NoiseSpec
from tests.diffusion.references import KNOWN, OPTIONS, make_scheduler, scheduler_class

SD15 = NoiseSpec()
Prompts = tuple[Conditioning, Conditioning]

BY_SCHEDULER = [name for name, sampler in SAMPLERS.items() if sampler.scheduler and name != "dpmpp_sde"]
"""Samplers that plain pipelines of diffusers have; for dpmpp_sde they draw other noise."""

ONE_STEP = ["euler", "euler_a", "ddim", "heun", "dpm_2", "dpm_2_a", "ddpm", "dpmpp_2s_a", "dpmpp_sde", "lcm"]
"""Samplers without memory from step to step."""

TWINS = {"euler": "euler", "euler_a": "euler_ancestral", "dpmpp_2m": "dpmpp_2m", "dpmpp_2m_sde": "dpmpp_2m_sde"}
"""Samplers of diffusers whose methods k-diffusion defines for any noise levels, and their functions."""

CASES = [(*known, spacing) for known in KNOWN if known[0] in BY_SCHEDULER for spacing in ("leading", "linspace")]


def signal_at(timestep: Tensor, spec: NoiseSpec = SD15) -> Tensor:
    """Share of signal at a timestep; between two, by their noise levels."""
    sigma = torch.from_numpy(np.interp([float(timestep)], range(1000), sigma_table(spec).numpy())).float()
    return 1 / (1 + sigma**2)


def one_mind(latents: Tensor, timestep: Tensor) -> Tensor:
    """A denoiser that is sure of one picture, so that the exact path is known: it predicts the noise beside a latent of 0.5."""
    signal = signal_at(timestep)
    return (latents - 0.5 * signal.sqrt()) / (1 - signal).sqrt()


@pytest.mark.parametrize(("name", "kind", "spacing"), CASES)
def test_text_to_image_equals_a_plain_diffusers_pipeline(
    name: str,
    kind: str,
    spacing: str,
    pipeline: Any,
    published_scheduler: Any,
    unet: Any,
    prompts: Prompts,
    noise: Tensor,
) -> None:
    positive, negative = prompts
    options = {"clip_sample": False, "timestep_spacing": spacing, **OPTIONS[kind], **SAMPLERS[name].config}
    pipeline.scheduler = scheduler_class(name).from_config(published_scheduler, **options)
    expected = pipeline(
        prompt_embeds=positive.entries[0].tokens.expand(2, -1, -1),
        negative_prompt_embeds=negative.entries[0].tokens.expand(2, -1, -1),
        latents=noise,
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
    ).images

    schedule = make_schedule(SD15, name, steps=6, kind=kind, spacing=spacing)
    guider = CfgGuider(UNetDenoiser(unet), positive, negative, 4.0, SD15)
    start = start_latents(torch.zeros_like(noise), noise, schedule)
    result = sample(guider, start, schedule, generator=torch.Generator().manual_seed(7))

    assert float((result - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("kind", SCHEDULE_NAMES)
@pytest.mark.parametrize("name", TWINS)
def test_on_every_schedule_it_equals_the_method_of_k_diffusion(name: str, kind: ScheduleName, noise: Tensor) -> None:
    """diffusers takes the steps of these samplers, and has few of the schedules; `solvers` has the methods that schedules don't matter to."""

    def clean(noisy: Tensor, sigma: Tensor) -> Tensor:
        level = sigma.reshape(-1, 1, 1, 1)
        return torch.tanh(noisy / (1 + level**2).sqrt()) * 0.5

    def model(latents: Tensor, timestep: Tensor) -> Tensor:
        level = next(levels)
        exploded = latents * (1 + level**2) ** 0.5
        return (exploded - clean(exploded, torch.full((len(latents),), level))) / level

    schedule = make_schedule(SD15, name, steps=8, kind=kind)
    levels = iter(schedule.sigmas.tolist())
    start = start_latents(torch.zeros_like(noise), noise, schedule)
    ours = left_latents(sample(model, start, schedule, generator=torch.Generator().manual_seed(1)), schedule)

    generator = torch.Generator().manual_seed(1)
    scale = (1 + schedule.sigma(0) ** 2) ** 0.5 if schedule.sampler.scale == "preserving" else 1.0
    draws = {"draw": lambda: draw_noise(noise.shape, generator)} if schedule.sampler.stochastic else {}
    expected = getattr(solvers, TWINS[name])(clean, start * scale, schedule.sigmas, **draws)
    assert float((ours - expected).norm() / expected.norm()) < 1e-4


@pytest.mark.parametrize(
    "name", [name for name in SAMPLERS if name != "pndm"]
)  # it averages what the network says, as it is
def test_velocity_and_noise_prediction_agree(name: str, noise: Tensor) -> None:
    def velocity(latents: Tensor, timestep: Tensor) -> Tensor:
        signal = signal_at(timestep)
        return one_mind(latents, timestep) * signal.sqrt() - 0.5 * (1 - signal).sqrt()

    results = []
    for prediction, model in (("epsilon", one_mind), ("v_prediction", velocity)):
        schedule = make_schedule(NoiseSpec(prediction=prediction), name, steps=8)
        start = start_latents(torch.zeros_like(noise), noise, schedule)
        results.append(sample(model, start, schedule, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, sampler in SAMPLERS.items() if sampler.zero_terminal_snr])
def test_sampling_can_start_where_no_signal_is_left(name: str, noise: Tensor) -> None:
    spec = NoiseSpec(prediction="v_prediction", zero_terminal_snr=True)

    def velocity(latents: Tensor, timestep: Tensor) -> Tensor:
        signal = signal_at(timestep, spec)
        clean, level = 0.5, (1 - signal).sqrt()
        return ((latents - clean * signal.sqrt()) / level) * signal.sqrt() - clean * level

    schedule = make_schedule(spec, name, steps=10, spacing="trailing")
    assert schedule.sigma(0) > 1000
    start = start_latents(torch.zeros_like(noise), noise, schedule)
    result = sample(velocity, start, schedule, generator=torch.Generator().manual_seed(1))
    assert float((result - 0.5).abs().max()) < 0.2


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_denoiser_that_is_sure_gets_its_picture(name: str, noise: Tensor) -> None:
    seen: list[float] = []
    schedule = make_schedule(SD15, name, steps=10)
    result = sample(
        one_mind,
        start_latents(torch.zeros_like(noise), noise, schedule),
        schedule,
        generator=torch.Generator().manual_seed(1),
        on_step=lambda step, total, latents, clean: seen.append(float((clean - 0.5).abs().max())),
    )
    assert float((result - 0.5).abs().max()) < 0.2
    assert len(seen) == schedule.calls
    if name != "pndm":  # its second call looks at the first one's result from the level above
        assert max(seen) < 0.01


@pytest.mark.parametrize("name", ONE_STEP)
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_parts_in_a_row_equal_the_whole(name: str, cut: int, unet: Any, prompts: Prompts, noise: Tensor) -> None:
    guider = CfgGuider(UNetDenoiser(unet), *prompts, 3.0, SD15)
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    whole = make_schedule(SD15, name, steps=6)
    start = start_latents(torch.zeros_like(noise), noise, whole)
    expected = sample(guider, start, whole, generator=generators[0])

    first = make_schedule(SD15, name, steps=6, end_step=cut)
    second = make_schedule(SD15, name, steps=6, start_step=cut)
    start = start_latents(torch.zeros_like(noise), noise, first)
    between = left_latents(sample(guider, start, first, generator=generators[1]), first)
    rest = sample(guider, resumed_latents(between, second), second, generator=generators[1])

    torch.testing.assert_close(left_latents(rest, second), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("second_half", ["euler", "dpmpp_2m", "pndm", "ddim"])
def test_another_sampler_can_go_on_with_leftover_noise(second_half: str, noise: Tensor) -> None:
    first = make_schedule(SD15, "euler", steps=10, end_step=5)
    between = left_latents(sample(one_mind, start_latents(torch.zeros_like(noise), noise, first), first), first)
    assert 0.5 < float(between.std()) < 1.5
    second = make_schedule(SD15, second_half, steps=10, start_step=5)
    assert float((sample(one_mind, resumed_latents(between, second), second) - 0.5).abs().max()) < 0.1


def test_fresh_noise_is_the_same_for_the_same_seed_only(noise: Tensor) -> None:
    schedule = make_schedule(SD15, "euler_a", steps=5, end_step=4)
    start = start_latents(torch.zeros_like(noise), noise, schedule)

    def run(seed: int) -> Tensor:
        return sample(one_mind, start, schedule, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    with pytest.raises(ValueError, match="needs a generator"):
        sample(one_mind, start, schedule)


def test_what_a_callback_raises_stops_at_once(noise: Tensor) -> None:
    calls: list[int] = []

    def stop_at_second(step: int, total: int, latents: Tensor, clean: Tensor) -> None:
        calls.append(step)
        assert total == 5
        if step == 2:
            raise KeyboardInterrupt

    schedule = make_schedule(SD15, "euler", steps=5)
    with pytest.raises(KeyboardInterrupt):
        sample(one_mind, start_latents(torch.zeros_like(noise), noise, schedule), schedule, on_step=stop_at_second)
    assert calls == [1, 2]


def test_inputs_are_not_changed(unet: Any, prompts: Prompts, noise: Tensor) -> None:
    schedule = make_schedule(SD15, "dpmpp_2m", steps=3)
    start = start_latents(noise, noise, schedule)
    before = start.clone()
    result = sample(CfgGuider(UNetDenoiser(unet), *prompts, 3.0, SD15), start, schedule)
    assert torch.equal(start, before)
    assert not result.requires_grad
    assert not result.is_inference()


@pytest.mark.parametrize("name", [name for name, sampler in SAMPLERS.items() if sampler.scheduler])
def test_image_to_image_starts_at_the_first_executed_level(name: str, noise: Tensor) -> None:
    latents = torch.full_like(noise, 0.25)
    schedule = make_schedule(SD15, name, steps=5, strength=0.6)
    scheduler = make_scheduler(name, timestep_spacing="leading")
    scheduler.set_timesteps(5)
    expected = scheduler.add_noise(latents, noise, schedule.timesteps[schedule.start :][:1])
    torch.testing.assert_close(start_latents(latents, noise, schedule), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "strength"),
    # For lms, diffusers leaves out the slopes of the steps that were not made.
    [(name, strength) for name in BY_SCHEDULER for strength in (0.5, 0.8, 1.0) if name != "lms" or strength == 1],
)
def test_image_to_image_equals_a_plain_diffusers_pipeline(
    name: str, strength: float, pipeline: Any, published_scheduler: Any, prompts: Prompts
) -> None:
    positive, negative = prompts
    pixels = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    reference = diffusers.StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    reference.set_progress_bar_config(disable=True)
    options = {"clip_sample": False, **SAMPLERS[name].config}
    reference.scheduler = scheduler_class(name).from_config(published_scheduler, **options)
    expected = reference(
        image=pixels,
        prompt_embeds=positive.entries[0].tokens,
        negative_prompt_embeds=negative.entries[0].tokens,
        strength=strength,
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
    ).images

    generator = torch.Generator().manual_seed(7)
    schedule = make_schedule(SD15, name, steps=6, strength=strength)
    shape = latent_shape(pipeline.vae, pixels)
    scaling = pipeline.vae.config.scaling_factor
    latents = encode_pictures(pipeline.vae, pixels, scaling_factor=scaling, noise=draw_noise(shape, generator))
    start = start_latents(latents, draw_noise(shape, generator), schedule)
    guider = CfgGuider(UNetDenoiser(pipeline.unet), positive, negative, 4.0, SD15)
    result = sample(guider, start, schedule, generator=generator)

    assert float((result - expected).norm() / expected.norm()) < 1e-5


def test_noise_is_drawn_on_the_cpu_in_one_draw_for_the_batch() -> None:
    expected = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(5))
    assert torch.equal(draw_noise((3, 4, 2, 2), torch.Generator().manual_seed(5)), expected)
    with pytest.raises(ValueError, match="same shape"):
        start_latents(torch.zeros(1, 4, 2, 2), expected, make_schedule(SD15, "euler", steps=2))
