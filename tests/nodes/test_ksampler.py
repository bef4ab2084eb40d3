from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from graphflow.packs.builtin.sampling.ksampler import KSampler
from torch import Tensor

from graphflow import Conditioning, Denoiser, Image, Latent, Mask, RunCancelled
from graphflow.testing import FakeContext, run_node

Sample = Callable[..., Tensor]


@pytest.fixture
def sample(ctx: FakeContext, denoiser: Denoiser, positive: Conditioning, negative: Conditioning) -> Sample:
    """Runs the sampler on the tiny networks and gives the latent's samples."""

    def run(latent: Tensor | None = None, *, mask: Mask | None = None, **settings: Any) -> Tensor:
        start = Latent(torch.zeros(1, 4, 8, 8) if latent is None else latent, 2, mask)
        inputs = {"steps": 4, "negative": negative, **settings}
        node = KSampler(denoiser=denoiser, positive=positive, latent=start, **inputs)
        samples: Tensor = run_node(node, ctx)["latent"].samples
        return samples

    return run


def test_the_same_seed_gives_the_same_latent(sample: Sample) -> None:
    assert torch.equal(sample(seed=1), sample(seed=1))
    assert not torch.equal(sample(seed=1), sample(seed=2))


def test_it_steps_as_diffusers_does(
    sample: Sample, modules: dict[str, Any], positive: Conditioning, negative: Conditioning
) -> None:
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="leading",
        steps_offset=1,
    )
    scheduler.set_timesteps(4)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5)) * scheduler.init_noise_sigma
    tokens = torch.cat([negative.entries[0].tokens, positive.entries[0].tokens])
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            given = scheduler.scale_model_input(torch.cat([latents] * 2), timestep)
            without, with_prompt = modules["unet"](given, timestep, tokens).sample.chunk(2)
            latents = scheduler.step(without + 3.0 * (with_prompt - without), timestep, latents).prev_sample
    ours = sample(seed=5, sampler="euler", schedule="normal", guidance=3.0)
    torch.testing.assert_close(ours, latents, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "ddim"])
def test_two_parts_equal_one_go(sample: Sample, sampler: str) -> None:
    whole = sample(seed=3, sampler=sampler)
    first = sample(seed=3, sampler=sampler, end_step=2)
    second = sample(first, seed=3, sampler=sampler, start_step=2, add_noise=False)
    torch.testing.assert_close(second, whole, rtol=1e-4, atol=1e-4)


def test_a_low_strength_stays_near_the_picture(sample: Sample) -> None:
    picture = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    distances = [float((sample(picture, strength=share, steps=20) - picture).norm()) for share in (0.05, 0.5, 1.0)]
    assert distances == sorted(distances)


def test_outside_a_noise_mask_nothing_changes(sample: Sample) -> None:
    original = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    values = torch.zeros(1, 8, 8)
    values[:, :, 4:] = 1
    changed = sample(original, mask=Mask(values))
    torch.testing.assert_close(changed[..., :4], original[..., :4])
    assert not torch.allclose(changed[..., 4:], original[..., 4:])


def test_a_noise_mask_does_not_go_with_a_latent_that_is_noisy_from_the_start(sample: Sample) -> None:
    with pytest.raises(ValueError, match="adds no noise, yet begins at the first step"):
        sample(mask=Mask(torch.ones(1, 8, 8)), add_noise=False)


def test_guidance_of_one_needs_no_negative_prompt(sample: Sample) -> None:
    assert sample(guidance=1.0, negative=None).isfinite().all()
    assert torch.equal(sample(guidance=0.5), sample(guidance=1.0))
    with pytest.raises(ValueError, match="needs a negative conditioning"):
        sample(guidance=7.0, negative=None)


def test_a_schedule_that_the_sampler_lacks_is_named(sample: Sample) -> None:
    with pytest.raises(ValueError, match='"ddim" has no "karras" schedule; it works with normal'):
        sample(sampler="ddim", schedule="karras")


def test_the_automatic_schedule_is_karras_where_there_is_one(sample: Sample) -> None:
    assert torch.equal(sample(sampler="dpmpp_2m"), sample(sampler="dpmpp_2m", schedule="karras"))
    assert torch.equal(sample(sampler="ddim"), sample(sampler="ddim", schedule="normal"))


def test_every_step_is_reported_and_shown(sample: Sample, ctx: FakeContext) -> None:
    sample(steps=5)
    assert [report.done for report in ctx.progress_reports] == [1, 2, 3, 4, 5]
    assert {report.total for report in ctx.progress_reports} == {5}
    assert len(ctx.previews) == 5
    assert all(isinstance(preview, Image) for preview in ctx.previews)


def test_the_warm_up_of_pndm_counts_as_a_step(sample: Sample, ctx: FakeContext) -> None:
    sample(steps=5, sampler="pndm")
    assert (len(ctx.progress_reports), ctx.progress_reports[-1].total) == (6, 6)


def test_a_cancelled_run_stops_within_a_step(
    context: Callable[..., FakeContext], denoiser: Denoiser, positive: Conditioning, negative: Conditioning
) -> None:
    ctx = context(cancel_after=2)
    node = KSampler(
        denoiser=denoiser,
        positive=positive,
        negative=negative,
        latent=Latent(torch.zeros(1, 4, 8, 8), 2),
        steps=1000,
        sampler="euler",
    )
    with pytest.raises(RunCancelled):
        run_node(node, ctx)
    assert len(ctx.progress_reports) == 2


def test_inputs_stay_as_they_are(sample: Sample) -> None:
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    before = latent.clone()
    sample(latent, strength=0.5)
    assert torch.equal(latent, before)
