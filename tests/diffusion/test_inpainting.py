from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import SAMPLERS, KeptOutside, make_schedule, sample, start_latents
from graphflow.ports import Mask, NoiseSpec

SD15 = NoiseSpec()


def left_half(height: int, width: int) -> Mask:
    values = torch.zeros(1, height, width)
    values[:, :, : width // 2] = 1.0
    return Mask(values)


def towards_zero(latents: Tensor, timestep: Tensor) -> Tensor:
    return latents * 0.9


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("size", [8, 64])
def test_nothing_changes_outside_the_mask(name: str, size: int, noise: Tensor) -> None:
    original = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    schedule = make_schedule(SD15, name, steps=6, strength=0.8)
    result = sample(
        towards_zero,
        start_latents(original, noise, schedule),
        schedule,
        generator=torch.Generator().manual_seed(1),
        keep=KeptOutside.of(original, noise=noise, mask=left_half(size, size)),
    )
    assert torch.equal(result[..., 4:], original[..., 4:])
    assert not torch.allclose(result[..., :4], original[..., :4], atol=0.1)


def test_on_the_way_the_outside_has_the_noise_of_the_step(noise: Tensor) -> None:
    original = torch.zeros_like(noise)
    schedule = make_schedule(SD15, "euler", steps=6)
    seen: list[Tensor] = []
    sample(
        towards_zero,
        start_latents(original, noise, schedule),
        schedule,
        keep=KeptOutside.of(original, noise=noise, mask=left_half(8, 8)),
        on_step=lambda step, total, latents, clean: seen.append(latents),
    )
    for call, latents in enumerate(seen[:-1], start=1):
        torch.testing.assert_close(latents[..., 4:], noise[..., 4:] * schedule.sigma(call))


def test_a_mask_for_another_batch_is_refused(noise: Tensor) -> None:
    with pytest.raises(ValueError, match="noise mask of 3 pictures does not fit 2 latents"):
        KeptOutside.of(noise, noise=noise, mask=Mask(torch.ones(3, 8, 8)))


def test_gray_spots_change_as_far_as_a_strength_of_that_gray(noise: Tensor) -> None:
    original = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(9))

    def sampled(strength: float, mask: Mask | None = None) -> Tensor:
        schedule = make_schedule(SD15, "euler", steps=10, strength=strength)
        keep = None if mask is None else KeptOutside.of(original, noise=noise, mask=mask)
        return sample(towards_zero, start_latents(original, noise, schedule), schedule, keep=keep)

    gray = torch.zeros(1, 8, 8)
    gray[:, :, :3], gray[:, :, 3:5] = 1.0, 0.4
    result = sampled(1.0, Mask(gray))
    assert torch.equal(result[..., 5:], original[..., 5:])
    torch.testing.assert_close(result[..., 3:5], sampled(0.4)[..., 3:5])
    torch.testing.assert_close(result[..., :3], sampled(1.0)[..., :3])


@pytest.mark.parametrize("name", SAMPLERS)
def test_faint_spots_stay_as_they_are(name: str, noise: Tensor) -> None:
    original = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    schedule = make_schedule(SD15, name, steps=6)
    result = sample(
        towards_zero,
        start_latents(original, noise, schedule),
        schedule,
        generator=torch.Generator().manual_seed(1),
        keep=KeptOutside.of(original, noise=noise, mask=Mask(torch.full((1, 8, 8), 0.05))),
    )
    assert torch.equal(result, original)
