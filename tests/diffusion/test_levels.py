from __future__ import annotations

from math import pi

import numpy as np
import pytest
from diffusers.schedulers import AysSchedules

from graphflow.diffusion import custom_schedule, make_schedule
from graphflow.diffusion.beta_distribution import beta_quantiles
from graphflow.diffusion.forward import sigma_table
from graphflow.diffusion.levels import (
    beta_sigmas,
    ddim_timesteps,
    even_timesteps,
    exponential_sigmas,
    kept_before_refiner,
    kept_for_image,
    kl_optimal_sigmas,
    lcm_timesteps,
    refined_sigmas,
    simple_timesteps,
)
from graphflow.ports import NoiseSpec

SD15 = NoiseSpec()
SHARES = np.linspace(0, 1, 21)


def test_beta_quantiles_are_those_that_are_known_in_closed_form() -> None:
    np.testing.assert_allclose(beta_quantiles(SHARES, a=0.5, b=0.5), np.sin(pi / 2 * SHARES) ** 2, atol=1e-12)
    np.testing.assert_allclose(beta_quantiles(SHARES, a=1.0, b=1.0), SHARES, atol=1e-12)
    np.testing.assert_allclose(beta_quantiles(SHARES, a=0.7, b=1.0), SHARES ** (1 / 0.7), atol=1e-9)
    np.testing.assert_allclose(beta_quantiles(SHARES, a=1.0, b=0.7), 1 - (1 - SHARES) ** (1 / 0.7), atol=1e-9)


def test_beta_quantiles_mirror_each_other() -> None:
    np.testing.assert_allclose(
        beta_quantiles(SHARES, a=0.6, b=0.3), 1 - beta_quantiles(1 - SHARES, a=0.3, b=0.6), atol=1e-12
    )
    assert beta_quantiles(np.array([0.1]), a=0.6, b=0.6)[0] == pytest.approx(0.0395844056, rel=1e-8)


@pytest.mark.parametrize(
    ("shares", "a", "message"), [(SHARES, 0.0, "does not exist"), (SHARES * 2, 0.6, "from 0 to 1")]
)
def test_quantiles_of_nothing_are_refused(shares: np.ndarray, a: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        beta_quantiles(shares, a=a, b=0.6)


@pytest.mark.parametrize("levels", [exponential_sigmas, beta_sigmas, kl_optimal_sigmas])
def test_levels_fall_from_the_highest_to_the_lowest(levels: object) -> None:
    found = levels(0.03, 14.6, 9)  # type: ignore[operator]
    np.testing.assert_allclose(found[[0, -1]], [14.6, 0.03])
    assert np.all(np.diff(found) < 0)
    np.testing.assert_allclose(levels(0.03, 14.6, 1), [14.6])  # type: ignore[operator]


def test_kl_optimal_levels_share_the_angle_evenly() -> None:
    np.testing.assert_allclose(np.diff(np.arctan(kl_optimal_sigmas(0.03, 14.6, 9)), n=2), 0, atol=1e-12)


def test_uniform_schedules_visit_the_timesteps_that_their_names_stand_for() -> None:
    assert even_timesteps(4).tolist() == [999, 749, 499, 249]
    assert simple_timesteps(3).tolist() == [999, 666, 333]
    assert ddim_timesteps(4).tolist() == [751, 501, 251, 1]
    assert lcm_timesteps(4).tolist() == [999, 759, 499, 259]
    assert even_timesteps(1000).tolist() == simple_timesteps(1000).tolist() == list(range(999, -1, -1))
    for wrong in (0, 1001):
        with pytest.raises(ValueError, match="use 1 to 1000"):
            even_timesteps(wrong)
    with pytest.raises(ValueError, match="51 steps are out of range for a latent consistency model; use 1 to 50"):
        lcm_timesteps(51)


@pytest.mark.parametrize("kind", ["sgm_uniform", "simple", "ddim_uniform"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_schedules_of_timesteps_have_the_levels_of_training(kind: str, sampler: str) -> None:
    table = sigma_table(SD15).double().numpy()
    schedule = make_schedule(SD15, sampler, steps=7, kind=kind, spacing="trailing")
    np.testing.assert_allclose(schedule.sigmas[:-1], table[schedule.timesteps.long()], rtol=1e-6)
    assert float(schedule.sigmas[-1]) == 0


def test_ddim_uniform_is_the_leading_spacing_of_diffusers() -> None:
    uniform = make_schedule(SD15, "euler", steps=30, kind="ddim_uniform", spacing="linspace")
    leading = make_schedule(SD15, "euler", steps=30, spacing="leading")
    assert uniform.timesteps.tolist() == leading.timesteps.tolist()


@pytest.mark.parametrize(
    ("kind", "published"),
    [("align_your_steps", "StableDiffusionSigmas"), ("align_your_steps_xl", "StableDiffusionXLSigmas")],
)
def test_ten_aligned_steps_are_the_published_ones(kind: str, published: str) -> None:
    found = make_schedule(SD15, "euler", steps=10, kind=kind).sigmas
    np.testing.assert_allclose(found, AysSchedules[published], rtol=1e-6)
    twenty = make_schedule(SD15, "euler", steps=20, kind=kind).sigmas
    np.testing.assert_allclose(twenty[:-1:2], AysSchedules[published][:-1], rtol=1e-6)
    assert np.all(np.diff(twenty) < 0)


def test_curves_are_straight_in_the_logarithm_between_their_points() -> None:
    np.testing.assert_allclose(refined_sigmas([16.0, 4.0, 1.0], 5), [16, 8, 4, 2, 1])


def test_levels_of_ones_own_are_visited_at_their_timesteps() -> None:
    table = sigma_table(SD15)
    own = [float(table[800]), float(table[300]), float(table[20])]
    for levels in (own, [*own, 0.0]):
        schedule = custom_schedule(SD15, "euler", levels)
        np.testing.assert_allclose(schedule.timesteps, [800, 300, 20], atol=1e-3)
        np.testing.assert_allclose(schedule.sigmas, [*own, 0.0], rtol=1e-6)
    assert custom_schedule(SD15, "dpmpp_2m", own, start_step=1).calls == 2


@pytest.mark.parametrize(
    ("sampler", "levels", "message"),
    [
        ("ddim", [3.0, 1.0], 'no "custom" schedule'),
        ("euler", [], "are no schedule"),
        ("euler", [0.0], "are no schedule"),
        ("euler", [1.0, 3.0], "numbers above 0 that fall"),
        ("euler", [float("nan")], "are no schedule"),
        ("euler", [80.0, 1.0], "above all that the denoiser knows; begin at 14.61 or below"),
    ],
)
def test_levels_that_make_no_schedule_are_refused(sampler: str, levels: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        custom_schedule(SD15, sampler, levels)


def test_aligned_steps_need_the_noise_that_they_were_fitted_to() -> None:
    with pytest.raises(ValueError, match="begins where some signal is left"):
        make_schedule(NoiseSpec(zero_terminal_snr=True), "euler", steps=5, kind="align_your_steps")


def test_base_and_refiner_meet_at_one_level() -> None:
    sigmas = np.append(np.linspace(10, 1, 10), 0.0)
    base, refiner = kept_before_refiner(sigmas, 0.3, steps=10), kept_for_image(sigmas, 0.3)
    assert base[-1] == refiner[0] == 2
    assert len(kept_for_image(sigmas, 0.0)) == 1
    for keep in (kept_before_refiner, kept_for_image):
        with pytest.raises(ValueError, match="use 0 to 1"):
            keep(sigmas, 1.5)


def test_the_beta_schedule_crowds_both_ends() -> None:
    widths = -np.diff(beta_sigmas(0.0, 1.0, 11))
    assert widths[5] > widths[0]
    assert widths[5] > widths[-1]
