from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from graphflow.packs.builtin.sampling.ksampler import KSampler
from graphflow.packs.builtin.sampling.noise import NoNoise, RandomNoise
from graphflow.packs.builtin.sampling.refine_stage import RefineStage
from graphflow.packs.builtin.sampling.sample import Sample
from graphflow.packs.builtin.sampling.schedules import CustomSchedule, MakeNoiseSchedule, SplitSchedule
from torch import Tensor

from graphflow import CfgGuidance, Conditioning, Denoiser, Guider, Latent, Mask, Noise, NoiseSchedule, RunCancelled
from graphflow.testing import FakeContext, run_node

Outputs = dict[str, Latent]
Run = Callable[..., Outputs]

EMPTY = Latent(torch.zeros(1, 4, 8, 8), 2)
PICTURE = Latent(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9)), 2)

HALF = torch.zeros(1, 8, 8)
HALF[:, :, 4:] = 1
FADING = torch.linspace(0, 1, 8).expand(1, 8, 8)


@pytest.fixture
def guider(denoiser: Denoiser, positive: Conditioning, negative: Conditioning) -> Guider:
    return CfgGuidance(denoiser, positive, negative)


@pytest.fixture
def sample(ctx: FakeContext, guider: Guider) -> Run:
    """Runs the sampler in parts on the tiny networks."""

    def run(
        latent: Latent = EMPTY, schedule: NoiseSchedule | None = None, noise: Noise | None = None, **more: Any
    ) -> Outputs:
        inputs = {
            "guider": guider,
            "noise": noise or Noise((3,)),
            "schedule": schedule or NoiseSchedule(steps=4),
            **more,
        }
        return run_node(Sample(latent=latent, **inputs), ctx)

    return run


def made(node: Any) -> Any:
    """The node's only output."""
    (output,) = run_node(node).values()
    return output


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_a", "ddim", "heun"])
def test_its_parts_are_those_of_ksampler(
    sample: Run, ctx: FakeContext, denoiser: Denoiser, positive: Conditioning, negative: Conditioning, sampler: str
) -> None:
    prompts = {"denoiser": denoiser, "positive": positive, "negative": negative}
    node = KSampler(latent=PICTURE, seed=3, steps=6, strength=0.5, sampler=sampler, **prompts)
    schedule = made(MakeNoiseSchedule(steps=6, strength=0.5))
    ours = sample(PICTURE, schedule, made(RandomNoise(seed=3)), sampler=sampler)
    assert torch.equal(run_node(node, ctx)["latent"].samples, ours["latent"].samples)


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "ddim", "dpmpp_sde", "dpm_2_a"])
@pytest.mark.parametrize("mask", [None, HALF, FADING], ids=["everywhere", "half", "fading"])
def test_two_parts_equal_one_go(sample: Run, sampler: str, mask: Tensor | None) -> None:
    latent = replace(PICTURE, noise_mask=None if mask is None else Mask(mask))
    schedule = NoiseSchedule("normal", steps=6)
    whole = sample(latent, schedule, sampler=sampler)["latent"]
    parts = run_node(SplitSchedule(schedule=schedule, step=2))
    first = sample(latent, parts["high"], sampler=sampler)["latent"]
    second = sample(first, parts["low"], made(NoNoise(seed=3)), sampler=sampler)["latent"]
    assert not torch.allclose(first.samples, whole.samples, atol=0.1)
    torch.testing.assert_close(second.samples, whole.samples, rtol=1e-4, atol=1e-4)


def test_the_estimate_is_what_sampling_ends_with_and_has_no_noise_before(sample: Run) -> None:
    whole = sample(sampler="euler")
    torch.testing.assert_close(whole["denoised"].samples, whole["latent"].samples, rtol=1e-4, atol=1e-4)
    early = sample(schedule=NoiseSchedule("normal", steps=6, end_step=1), sampler="euler")
    assert not torch.allclose(early["denoised"].samples, early["latent"].samples, atol=0.1)
    again = sample(early["latent"], NoiseSchedule("normal", steps=6, start_step=1), Noise((3,), is_added=False))
    assert again["latent"].samples.isfinite().all()


def test_the_estimate_keeps_what_the_mask_keeps(sample: Run) -> None:
    early = sample(replace(PICTURE, noise_mask=Mask(HALF)), NoiseSchedule("normal", steps=6, end_step=2))
    torch.testing.assert_close(early["denoised"].samples[..., :4], PICTURE.samples[..., :4])
    assert not torch.allclose(early["denoised"].samples[..., 4:], PICTURE.samples[..., 4:])


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_a", "dpmpp_2m_sde", "dpmpp_sde", "ddpm"])
def test_with_a_seed_for_each_picture_each_is_the_one_that_its_seed_gives_alone(sample: Run, sampler: str) -> None:
    batch = replace(EMPTY, samples=torch.zeros(3, 4, 8, 8))
    together = sample(batch, noise=made(RandomNoise(seeds=[5, 6, 9])), sampler=sampler)["latent"].samples
    for picture, seed in zip(together, (5, 6, 9), strict=True):
        alone = sample(noise=made(RandomNoise(seed=seed)), sampler=sampler)["latent"].samples[0]
        torch.testing.assert_close(picture, alone, rtol=1e-4, atol=1e-4)


def test_a_batch_with_one_seed_is_one_draw(sample: Run) -> None:
    batch = replace(EMPTY, samples=torch.zeros(2, 4, 8, 8))
    first, second = sample(batch, noise=Noise((5,)))["latent"].samples
    assert not torch.allclose(first, second, atol=0.1)


def test_another_number_of_seeds_than_pictures_is_refused(sample: Run) -> None:
    with pytest.raises(ValueError, match="2 seeds do not fit a batch of 1"):
        sample(noise=Noise((5, 6)))


def test_levels_of_ones_own_are_followed(sample: Run, guider: Guider) -> None:
    schedule = made(CustomSchedule(sigmas=[14.0, 3.0, 0.5]))
    assert (schedule.sigmas, schedule.steps) == ((14.0, 3.0, 0.5), 3)
    assert schedule == made(CustomSchedule(sigmas=[14, 3, 0.5, 0]))
    ours = sample(schedule=schedule, sampler="euler")["latent"].samples
    assert not torch.allclose(
        ours, sample(schedule=NoiseSchedule(steps=3), sampler="euler")["latent"].samples, atol=0.01
    )
    parts = run_node(SplitSchedule(schedule=schedule, step=1))
    first = sample(schedule=parts["high"], sampler="euler")["latent"]
    second = sample(first, parts["low"], Noise((3,), is_added=False), sampler="euler")["latent"]
    torch.testing.assert_close(second.samples, ours, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sigmas", [[1.0, 2.0], [1.0, 1.0], [-1.0], [0.0], [float("nan")]])
def test_levels_that_do_not_fall_are_refused_where_they_are_written(sigmas: list[float]) -> None:
    with pytest.raises(ValueError, match="numbers above 0 that fall"):
        run_node(CustomSchedule(sigmas=sigmas))


@pytest.mark.parametrize("step", [4, 5])
def test_a_schedule_is_not_split_at_its_end(step: int) -> None:
    with pytest.raises(ValueError, match=f"step {step} does not split steps 0 to 4 in two; use 1 to 3"):
        run_node(SplitSchedule(schedule=NoiseSchedule(steps=4), step=step))


def test_strength_and_a_part_do_not_go_together(sample: Run) -> None:
    with pytest.raises(
        ValueError, match=r"strength 0.5 and a part of the steps \(steps 0 to 4, from 0 to 0.8 of the way\)"
    ):
        sample(schedule=NoiseSchedule(steps=4, strength=0.5, end=0.8))


@pytest.mark.parametrize("sampler", ["euler", "euler_a"])
def test_a_model_that_hands_over_to_itself_draws_the_whole_picture(
    sample: Run, ctx: FakeContext, guider: Guider, sampler: str
) -> None:
    parts: dict[str, Any] = {"schedule": NoiseSchedule("normal", steps=10), "noise": Noise((3,)), "sampler": sampler}
    node = RefineStage(base=guider, refiner=guider, latent=EMPTY, share=0.8, **parts)
    ours = run_node(node, ctx)["latent"].samples
    torch.testing.assert_close(ours, sample(EMPTY, **parts)["latent"].samples, rtol=1e-4, atol=1e-4)
    assert [report.label for report in ctx.progress_reports[:10]] == ["base"] * 8 + ["refiner"] * 2


def test_refining_as_image_to_image_makes_a_part_of_the_finished_picture_anew(
    sample: Run, ctx: FakeContext, guider: Guider
) -> None:
    schedule = NoiseSchedule(steps=10)
    node = RefineStage(
        base=guider,
        refiner=guider,
        latent=EMPTY,
        schedule=schedule,
        noise=Noise((3,)),
        share=0.7,
        method="image to image",
    )
    finished = sample(schedule=schedule)["latent"]
    anew = sample(finished, replace(schedule, strength=0.3), Noise((4,)))["latent"]
    assert torch.equal(run_node(node, ctx)["latent"].samples, anew.samples)


def test_a_refiner_of_another_family_is_refused(ctx: FakeContext, guider: Guider, denoiser: Denoiser) -> None:
    other = CfgGuidance(replace(denoiser, family="sdxl_refiner"), guider.positive, scale=1.0)  # type: ignore[attr-defined]
    node = RefineStage(base=guider, refiner=other, latent=EMPTY, schedule=NoiseSchedule(steps=10), noise=Noise((3,)))
    with pytest.raises(ValueError, match="sdxl_refiner"):
        run_node(node, ctx)


def test_a_cancelled_run_stops_within_a_step(context: Callable[..., FakeContext], guider: Guider) -> None:
    ctx = context(cancel_after=2)
    node = Sample(guider=guider, latent=EMPTY, schedule=NoiseSchedule(steps=100), noise=Noise((3,)), sampler="euler")
    with pytest.raises(RunCancelled):
        run_node(node, ctx)
    assert len(ctx.progress_reports) == 2
