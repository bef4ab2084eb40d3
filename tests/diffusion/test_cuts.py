from __future__ import annotations

import pytest

from graphflow.diffusion import SAMPLERS, find_sampler, make_schedule, schedule_of
from graphflow.diffusion.cuts import Cut, step_at
from graphflow.diffusion.samplers import schedule_kind
from graphflow.ports import Denoiser, NoiseSchedule, NoiseSpec

SD15 = NoiseSpec()
TIMESTEPS = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]


@pytest.mark.parametrize(
    ("share", "step"), [(0.0, 0), (0.05, 0), (0.1, 1), (0.099, 1), (0.5, 5), (0.8, 8), (0.999, 10), (1.0, 10)]
)
def test_a_share_of_the_way_is_a_step(share: float, step: int) -> None:
    assert step_at(TIMESTEPS, share, train_steps=1000) == step


@pytest.mark.parametrize("share", [0.1, 0.33, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("name", SAMPLERS)
def test_two_parts_make_each_step_once(name: str, share: float) -> None:
    first = make_schedule(SD15, name, steps=20, end=share)
    second = make_schedule(SD15, name, steps=20, start=share)
    whole = make_schedule(SD15, name, steps=20)
    warm_ups = 2 if name == "pndm" else 0
    assert first.calls + second.calls == 20 + warm_ups
    assert first.sigma(0) == whole.sigma(0)
    assert second.sigma(second.start) == first.sigma(first.end)
    assert second.reaches_the_end


def test_steps_and_shares_may_be_cut_together() -> None:
    cut = Cut(start_step=2, end_step=9, start=0.5, end=0.8)
    assert cut.steps(TIMESTEPS, train_steps=1000) == (5, 8)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (Cut(strength=0.5, end=0.8), "strength 0.5 and a part of the steps"),
        (Cut(strength=0.5, end_step=9), "strength 0.5 and a part of the steps"),
        (Cut(strength=1.5), "strength 1.5 is out of range"),
        (Cut(strength=0.05), "leaves no step to make; use a strength of at least 0.1"),
        (Cut(start=0.5, end=0.5), "from 0.5 to 0.5 is no part of a schedule"),
        (Cut(end=0.01), "steps 0 to 10, from 0 to 0.01 of the way of 10 leave nothing to do"),
        (Cut(start_step=10), "steps 10 to 10 of 10 leave nothing to do"),
    ],
)
def test_cuts_that_leave_nothing_are_refused(cut: Cut, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut.steps(TIMESTEPS, train_steps=1000)


def test_an_end_at_the_last_step_may_stand_beside_a_strength() -> None:
    assert Cut(strength=0.5, end_step=10).steps(TIMESTEPS, train_steps=1000) == (5, 10)


def test_the_automatic_schedule_is_karras_where_there_is_one() -> None:
    assert schedule_kind("auto", find_sampler("euler"), family="sd15") == "karras"
    assert schedule_kind("auto", find_sampler("ddim"), family="sd15") == "normal"


@pytest.mark.parametrize(
    ("family", "kind"),
    [("sd15", "align_your_steps"), ("sdxl", "align_your_steps_xl"), ("sdxl_refiner", "align_your_steps_xl")],
)
def test_a_schedule_that_was_fitted_to_a_family_is_the_denoisers(family: str, kind: str) -> None:
    denoiser = Denoiser("a", "b", family, "unet")
    ours = schedule_of(NoiseSchedule("align_your_steps", steps=10), denoiser, "euler")
    assert ours.kind == kind
    assert schedule_of(NoiseSchedule("align_your_steps_xl"), denoiser, "euler").kind == "align_your_steps_xl"


def test_a_recipe_is_a_schedule_of_the_same_settings() -> None:
    denoiser = Denoiser("a", "b", "sd15", "unet")
    recipe = NoiseSchedule("beta", 12, "trailing", start_step=3, end_step=9)
    ours = schedule_of(recipe, denoiser, "heun")
    theirs = make_schedule(SD15, "heun", steps=12, kind="beta", spacing="trailing", start_step=3, end_step=9)
    assert ours.sigmas.equal(theirs.sigmas)
    assert (ours.start, ours.end) == (3, 9)
    own = schedule_of(NoiseSchedule(sigmas=(3.0, 1.0, 0.5), start_step=1), denoiser, "heun")
    assert own.sigmas.tolist() == [3.0, 1.0, 0.5, 0.0]
    assert (own.start, own.end) == (1, 3)
