from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Tensor

from graphflow.diffusion import karras_sigmas, make_schedule
from graphflow.diffusion.forward import alphas_cumprod
from graphflow.ports import NoiseSpec
from tests.diffusion.references import KNOWN, make_scheduler

SD15 = NoiseSpec()
STEPS = (1, 2, 3, 5, 7, 20, 30, 50, 77, 333, 990)


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize(("name", "kind"), [*KNOWN, ("euler_a", "karras")])
def test_every_schedule_is_the_one_of_diffusers(name: str, kind: str, spacing: str) -> None:
    # diffusers gives the ancestral sampler no Karras schedule; the levels are those of its Euler sampler.
    expected = make_scheduler(
        "euler" if kind == "karras" and name == "euler_a" else name, kind, timestep_spacing=spacing
    )
    for steps in STEPS if name in ("euler", "euler_a", "ddim", "dpmpp_2m", "pndm") else STEPS[:-2]:
        if name == "lcm" and steps > 50:
            break
        if name == "deis" and kind != "normal" and steps == 1:
            continue  # diffusers stays where it is
        expected.set_timesteps(steps)
        schedule = make_schedule(SD15, name, steps=steps, kind=kind, spacing=spacing)
        timesteps, sigmas = of_steps(expected)
        torch.testing.assert_close(schedule.timesteps, timesteps, rtol=1e-6, atol=1e-3, msg=f"{steps} steps")
        assert len(schedule.sigmas) == len(schedule.timesteps) + 1
        if sigmas is not None:
            torch.testing.assert_close(schedule.sigmas, sigmas, rtol=1e-6, atol=1e-6, msg=f"{steps} steps")


def of_steps(scheduler: Any) -> tuple[Tensor, Tensor | None]:
    """Timesteps and levels of the steps, without what second calls visit."""
    timesteps, sigmas = scheduler.timesteps, getattr(scheduler, "sigmas", None)
    if getattr(scheduler, "order", 1) == 1:
        return timesteps, sigmas
    assert sigmas is not None
    steps = timesteps[::2].float()
    return steps, torch.cat([sigmas[:1], sigmas[1::2][: len(steps)]])


@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("zero_terminal_snr", [False, True])
def test_the_forward_process_is_the_one_of_diffusers(beta_schedule: str, zero_terminal_snr: bool) -> None:
    spec = NoiseSpec(beta_schedule=beta_schedule, zero_terminal_snr=zero_terminal_snr)
    expected = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule=beta_schedule, rescale_betas_zero_snr=zero_terminal_snr
    )
    torch.testing.assert_close(alphas_cumprod(spec), expected.alphas_cumprod, rtol=1e-5, atol=1e-7)


def test_trailing_never_takes_more_steps_than_asked_for() -> None:
    for steps in range(1, 1001):
        assert len(make_schedule(SD15, "ddim", steps=steps, spacing="trailing").timesteps) == steps


def test_karras_levels_fall_from_highest_to_lowest() -> None:
    levels = karras_sigmas(0.03, 14.6, 10)
    np.testing.assert_allclose(levels[[0, -1]], [14.6, 0.03])
    assert np.all(np.diff(levels) < 0)


def test_a_thousand_steps_stay_in_the_trained_range() -> None:
    for name in ("euler", "euler_a", "ddim", "pndm"):
        schedule = make_schedule(SD15, name, steps=1000)
        assert schedule.timesteps.max() == 999
        assert schedule.timesteps.min() == 0


@pytest.mark.parametrize(("steps", "strength", "executed"), [(5, 0.8, 4), (20, 0.55, 11), (7, 1.0, 7), (50, 0.02, 1)])
def test_strength_keeps_the_last_steps(steps: int, strength: float, executed: int) -> None:
    schedule = make_schedule(SD15, "ddim", steps=steps, strength=strength)
    assert schedule.calls == executed
    assert schedule.reaches_the_end


def test_pndm_makes_one_call_more_and_loses_its_first_entry_to_strength() -> None:
    schedule = make_schedule(SD15, "pndm", steps=5, strength=0.8)
    assert schedule.timesteps.tolist() == [801, 601, 601, 401, 201, 1]
    assert schedule.timesteps[schedule.start : schedule.end].tolist() == [601, 601, 401, 201, 1]


def test_pndm_warms_up_anew_where_a_part_begins() -> None:
    def visited(first: int, last: int) -> list[int]:
        part = make_schedule(SD15, "pndm", steps=5, start_step=first, end_step=last)
        return [int(t) for t in part.timesteps[part.start : part.end]]

    assert visited(0, 5) == [801, 601, 601, 401, 201, 1]
    assert visited(0, 3) == [801, 601, 601, 401]
    assert visited(2, 5) == [401, 201, 201, 1]
    assert visited(4, 5) == [1]


def test_an_end_step_beyond_the_last_is_the_last() -> None:
    assert make_schedule(SD15, "euler", steps=5, start_step=1, end_step=10_000).calls == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampler": "eulre", "steps": 5}, 'no sampler "eulre"; use one of euler, euler_a'),
        ({"sampler": "ddim", "steps": 5, "kind": "karras"}, 'no "karras" schedule; it works with normal'),
        ({"sampler": "pndm", "steps": 5, "kind": "karras"}, 'no "karras" schedule; it works with normal'),
        ({"sampler": "euler", "steps": 5, "spacing": "even"}, 'spacing "even" is unknown; use leading'),
        ({"sampler": "euler", "steps": 0}, "0 steps are out of range; use 1 to 1000"),
        ({"sampler": "euler", "steps": 1001}, "use 1 to 1000"),
        ({"sampler": "dpmpp_2m", "steps": 1000}, "1000 steps are too many"),
        ({"sampler": "euler", "steps": 5, "strength": 0.0}, "more than 0 and at most 1"),
        ({"sampler": "euler", "steps": 5, "strength": 0.1}, "use a strength of at least 0.2"),
        ({"sampler": "euler", "steps": 5, "start_step": 5}, "steps 5 to 5 of 5 leave nothing to do"),
        ({"sampler": "euler", "steps": 5, "start_step": 1, "strength": 0.5}, "or strength alone"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule(SD15, **arguments)


def test_denoisers_that_a_sampler_cannot_follow_are_refused() -> None:
    with pytest.raises(ValueError, match="predicts epsilon or v_prediction, not flow"):
        make_schedule(NoiseSpec(prediction="flow"), "euler", steps=5)
    with pytest.raises(ValueError, match="cannot start where no signal is left"):
        make_schedule(NoiseSpec(zero_terminal_snr=True), "pndm", steps=5)
