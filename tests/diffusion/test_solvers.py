from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from graphflow.diffusion import solvers
from graphflow.diffusion.levels import karras_sigmas

RECORDED = json.loads(Path(__file__).with_name("k_diffusion.json").read_text())
"""What k-diffusion makes of the same denoiser, levels and noise, in double precision."""

MEAN, DEVIATION = 0.3, 0.6


def two_hills(noisy: Tensor, sigma: Tensor) -> Tensor:
    """The best denoiser of data that lie around -0.6 and 0.6, with a deviation of 0.3."""
    level = sigma[:, None]
    variance = 0.3**2 + level**2
    right = torch.sigmoid(((noisy + 0.6) ** 2 - (noisy - 0.6) ** 2) / (2 * variance))
    left_hill, right_hill = (hill + 0.3**2 / variance * (noisy - hill) for hill in (-0.6, 0.6))
    return right * right_hill + (1 - right) * left_hill


def one_hill(noisy: Tensor, sigma: Tensor) -> Tensor:
    """The best denoiser of normal data; the way of each latent is known exactly."""
    return MEAN + DEVIATION**2 / (DEVIATION**2 + sigma[:, None] ** 2) * (noisy - MEAN)


def exact(start: Tensor, first: float, last: float) -> Tensor:
    """Where a latent of `one_hill` is at the last level, without added noise."""
    return MEAN + (start - MEAN) * sqrt((DEVIATION**2 + last**2) / (DEVIATION**2 + first**2))


def falling(steps: int, *, first: float = 10.0, last: float = 0.1, end: float | None = None) -> Tensor:
    levels = torch.from_numpy(karras_sigmas(last, first, steps + 1))
    return levels if end is None else torch.cat([levels, levels.new_tensor([end])])


def drawing(seed: int, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    generator = Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", RECORDED["results"])
def test_every_solver_equals_the_one_of_k_diffusion(name: str) -> None:
    recorded = RECORDED["results"][name]
    noise = iter(torch.tensor(RECORDED["noise"], dtype=torch.float64))
    sigmas, start = (torch.tensor(RECORDED[key], dtype=torch.float64) for key in ("sigmas", "start"))
    solver = getattr(solvers, name.partition(",")[0])
    result = solver(two_hills, start, sigmas, draw=lambda: next(noise), **recorded["options"])
    torch.testing.assert_close(result[0], torch.tensor(recorded["latents"], dtype=torch.float64), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "order", "options"),
    [
        ("euler", 1, {}),
        ("heun", 2, {}),
        ("dpm_2", 2, {}),
        ("lms", 4, {}),
        ("lms", 2, {"order": 2}),
        ("dpmpp_2m", 2, {}),
        ("dpmpp_2s_ancestral", 2, {"eta": 0.0}),
        ("dpmpp_sde", 2, {"eta": 0.0}),
        ("dpmpp_2m_sde", 2, {"eta": 0.0}),
        ("dpmpp_3m_sde", 2, {"eta": 0.0}),
    ],
)
def test_twice_the_steps_divide_the_error_by_two_to_the_order(name: str, order: int, options: dict[str, Any]) -> None:
    start = torch.linspace(-20, 20, 5, dtype=torch.float64)[:, None]
    errors = []
    for steps in (64, 128):
        sigmas = falling(steps)
        draw = drawing(0, (5, 1))
        result = getattr(solvers, name)(one_hill, start, sigmas, draw=draw, **options)
        errors.append(float((result - exact(start, float(sigmas[0]), float(sigmas[-1]))).abs().max()))
    gain = errors[0] / errors[1]
    # The multistep methods of third and fourth order begin with steps of lower order, which is what shows at last.
    assert gain > 2 ** (order if order < 4 else 2.5) * 0.85
    assert errors[1] < 0.1**order * 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("euler", {"churn": solvers.Churn(amount=40.0)}),
        ("heun", {"churn": solvers.Churn(amount=40.0, lowest=0.05, highest=50.0)}),
        ("euler_ancestral", {}),
        ("dpm_2_ancestral", {}),
        ("dpmpp_2s_ancestral", {}),
        ("dpmpp_sde", {}),
        ("dpmpp_2m_sde", {}),
        ("dpmpp_3m_sde", {}),
    ],
)
def test_noise_leads_to_the_distribution_of_the_data(name: str, options: dict[str, Any]) -> None:
    shape = (20_000, 1)
    draw = drawing(1, shape)
    sigmas = falling(120, last=0.01, end=0.0)
    start = MEAN + draw() * sqrt(DEVIATION**2 + float(sigmas[0]) ** 2)
    result = getattr(solvers, name)(one_hill, start, sigmas, draw=draw, **options)
    assert float(result.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(result.std()) == pytest.approx(DEVIATION, rel=0.1 if name == "euler" else 0.04)


@pytest.mark.parametrize("name", solvers.__all__[3:])
def test_solvers_go_on_with_what_they_are_given_back(name: str) -> None:
    steps = count()

    def after(step: int, latents: Tensor, clean: Tensor) -> Tensor:
        assert step == next(steps)
        return torch.zeros_like(latents) if step == 3 else latents

    start = torch.full((1, 1), 5.0, dtype=torch.float64)
    sigmas = falling(3, last=0.01, end=0.0)
    result = getattr(solvers, name)(one_hill, start, sigmas, draw=drawing(0, (1, 1)), after=after)
    assert result.tolist() == [[0.0]]


def test_no_noise_is_added_where_none_is_asked_for() -> None:
    start, sigmas = torch.ones(1, 1, dtype=torch.float64), falling(5)
    solvers.euler_ancestral(one_hill, start, sigmas, draw=solvers.step.no_noise, eta=0.0)
    with pytest.raises(ValueError, match="adds noise at each step"):
        solvers.euler(one_hill, start, sigmas, churn=solvers.Churn(amount=1.0))


@pytest.mark.parametrize("levels", [[], [1.0], [1.0, 2.0], [1.0, 1.0], [1.0, -0.5], [0.0, 0.0], [2.0, 0.0, 0.0]])
def test_levels_that_do_not_fall_are_refused(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="are no way down; give two or more that fall"):
        solvers.euler(one_hill, torch.ones(1, 1), torch.tensor(levels))
