"""Checks of the sgm cases on samplers, guiders and denoiser scalings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from graphflow.diffusion import solvers
from graphflow.diffusion.frame_guidance import (
    JOINED,
    FrameGuider,
    linear_scales,
    orbit_scales,
    trapezoid_scales,
    triangle_scales,
)
from graphflow.diffusion.levels import (
    ddpm_sigmas,
    edm_sigmas,
    even_timesteps,
    kept_before_refiner,
    kept_for_image,
)
from graphflow.diffusion.scalings import (
    ScaledDenoiser,
    Scaling,
    TableDenoiser,
    edm_scaling,
    epsilon_scaling,
    velocity_edm_scaling,
    velocity_scaling,
)
from graphflow.diffusion.training_noise import (
    constant_sigmas,
    edm_weight,
    epsilon_weight,
    even_weight,
    lognormal_sigmas,
    table_sigmas,
    velocity_weight,
)
from tests.parity.cases import Case, Comparison

STEP_TOLERANCE = 2e-4
EXACT = 1e-6
POWERS = 2e-6
"""Where the reference took powers in single precision."""


def short(target: str) -> str:
    return target.rpartition(".")[2]


# --- 01_samplers ---------------------------------------------------------------------------------------------------

_LEVELS = {"sigma_min": "lowest", "sigma_max": "highest", "rho": "rho"}
_TABLE = {"linear_start": "first_beta", "linear_end": "last_beta", "num_timesteps": "train_steps"}
_CHURN = {"s_churn": "amount", "s_tmin": "lowest", "s_tmax": "highest", "s_noise": "deviation"}
_ANCESTRAL = {"eta": "eta", "s_noise": "noise"}

SOLVERS: dict[str, tuple[Callable[..., Tensor], dict[str, str]]] = {
    "EulerEDMSampler": (solvers.euler, _CHURN),
    "HeunEDMSampler": (solvers.heun, _CHURN),
    "EulerAncestralSampler": (solvers.euler_ancestral, _ANCESTRAL),
    "DPMPP2SAncestralSampler": (solvers.dpmpp_2s_ancestral, _ANCESTRAL),
    "DPMPP2MSampler": (solvers.dpmpp_2m, {}),
    "LinearMultistepSampler": (solvers.lms, {"order": "order"}),
}
"""graphflow's solvers, and its names of their settings."""


def samplers(case: Case, comparison: Comparison) -> None:
    """Every sampler on a denoiser whose answer is known, step by step."""
    comparison.tolerance = STEP_TOLERANCE
    for name, run in case.config["runs"].items():
        _compare_run(case, comparison, name, run)


def levels_of(discretization: dict[str, Any], steps: int) -> Tensor:
    """Levels of a run with the final zero, `[steps + 1]`."""
    params = discretization.get("params", {})
    if short(discretization["target"]) == "EDMDiscretization":
        found = edm_sigmas(steps, **{_LEVELS[name]: value for name, value in params.items()})
    else:
        assert short(discretization["target"]) == "LegacyDDPMDiscretization", discretization
        found = ddpm_sigmas(steps, **{_TABLE[name]: value for name, value in params.items()})
    return torch.cat([torch.from_numpy(found).float(), torch.zeros(1)])


@dataclass
class Mixture:
    """The posterior mean of data that is a mixture of Gaussians, guided; it remembers the levels it was called with."""

    inputs: dict[str, Tensor]
    guider: FrameGuider | None
    sigmas: list[Tensor] = field(default_factory=list)

    def __call__(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        cond = {"vector": self.inputs["cv"]}
        if self.guider is None:
            return self._clean(noisy, sigma, cond)
        both = self.guider.prepare(noisy, sigma, cond, {"vector": self.inputs["uv"]})
        return self.guider.combine(self._clean(*both))

    def _clean(self, noisy: Tensor, sigma: Tensor, cond: dict[str, Tensor]) -> Tensor:
        self.sigmas.append(sigma)
        flat = noisy.flatten(1)[:, None]
        means = self.inputs["mu"] + (cond["vector"] @ self.inputs["A"].T)[:, None]
        variance = self.inputs["std"] ** 2 + sigma[:, None] ** 2
        distance = (flat - means).square().sum(dim=2)
        shares = (self.inputs["logw"] - distance / (2 * variance) - flat.shape[2] / 2 * variance.log()).softmax(dim=1)
        towards = means + (self.inputs["std"] ** 2 / variance)[..., None] * (flat - means)
        return (shares[..., None] * towards).sum(dim=1).reshape(noisy.shape)


def _compare_run(case: Case, comparison: Comparison, name: str, run: dict[str, Any]) -> None:
    sigmas = levels_of(run["discretization"], run["num_steps"])
    denoise = Mixture(case.inputs, _constant_guider(run["guider"]))
    bank = iter(case.inputs["bank"])
    states: list[Tensor] = []

    def after(step: int, latents: Tensor, clean: Tensor) -> Tensor:
        states.append(latents)
        return latents

    solver, names = SOLVERS[run["sampler"]]
    options = {names[option]: value for option, value in run["params"].items()}
    if names is _CHURN:
        options = {"churn": solvers.Churn(**options)}
    start = case.inputs["x0"] * (1 + sigmas[0] ** 2) ** 0.5
    result = solver(denoise, start, sigmas, draw=lambda: next(bank), after=after, **options)

    comparison.elementwise(f"{name}.sigmas", sigmas, rtol=POWERS)
    comparison.elementwise(f"{name}.x_init", start, rtol=POWERS, atol=POWERS)
    comparison.elementwise(f"{name}.call_sigma", torch.stack(denoise.sigmas), rtol=1e-5)
    comparison.tensor(f"{name}.x_final", result)
    expected = case.expected[f"{name}.x_steps"]
    for state, wanted in zip(states, expected, strict=True):
        near = float((state - wanted).abs().max()) <= STEP_TOLERANCE * float(wanted.abs().max())
        comparison.equal(f"{name}: each step", near, True)
    comparison.elementwise(
        f"{name}.x_steps", torch.stack(states), rtol=0, atol=STEP_TOLERANCE * float(expected.abs().max())
    )


def _constant_guider(guider: dict[str, Any] | None) -> FrameGuider | None:
    if guider is None or short(guider["target"]) == "IdentityGuider":
        return None
    assert short(guider["target"]) == "VanillaCFG", guider
    return FrameGuider(torch.tensor(guider["params"]["scale"]))


# --- 02_guiders ----------------------------------------------------------------------------------------------------

_SCALES = {
    "min_scale": "lowest",
    "max_scale": "highest",
    "num_views": "views",
    "edge_perc": "edge",
    "period": "periods",
    "period_fusing": "fusing",
}
_FRAME_SCALES: dict[str, Callable[..., Tensor]] = {
    "LinearPredictionGuider": linear_scales,
    "TrianglePredictionGuider": triangle_scales,
    "TrapezoidPredictionGuider": trapezoid_scales,
    "SpatiotemporalPredictionGuider": orbit_scales,
}


def scales_of(guider: str, params: dict[str, Any]) -> Tensor:
    if guider == "VanillaCFG":
        return torch.tensor(float(params["scale"]))
    options = {_SCALES[name]: value for name, value in params.items() if name in _SCALES}
    if isinstance(options.get("periods"), float | int):
        options["periods"] = [options["periods"]]
    return _FRAME_SCALES[guider](params["num_frames"], **options)


def guiders(case: Case, comparison: Comparison) -> None:
    """Scales per frame, what the denoiser is given, and what becomes of its answer."""
    comparison.tolerance = EXACT
    for name, guider in case.config["guiders"].items():
        _compare_guider(case, comparison, name, guider["cls"], guider["params"])
    for name, script in case.config.get("script_default_scales", {}).items():
        wanted, found = torch.tensor(script["scale"]), scales_of(script["guider"], script["params"])
        same = wanted.shape == found.shape and torch.allclose(found, wanted, rtol=EXACT, atol=EXACT)
        comparison.equal(f"scales of {name}", same, True)


def _compare_guider(case: Case, comparison: Comparison, name: str, guider: str, params: dict[str, Any]) -> None:
    near = partial(comparison.elementwise, rtol=EXACT, atol=EXACT)
    latents, sigma, denoised = (case.inputs[key] for key in ("x", "sigma", "denoised"))
    joined = (*JOINED, *params.get("additional_cond_keys", ()))
    cond, uncond = (
        {key: case.inputs[f"{side}.{key}"] for key in joined if f"{side}.{key}" in case.inputs} for side in ("c", "uc")
    )
    if guider == "IdentityGuider":
        prepared, result = (latents, sigma, cond), denoised[: len(latents)]
    else:
        frames = FrameGuider(scales_of(guider, params), joined)
        prepared, result = frames.prepare(latents, sigma, cond, uncond), frames.combine(denoised)
        if frames.scales.ndim:
            near(f"{name}.scale", frames.scales[None])
    near(f"{name}.prepared_x", prepared[0])
    near(f"{name}.prepared_sigma", prepared[1])
    for key, value in prepared[2].items():
        near(f"{name}.prepared_c.{key}", value)
    near(f"{name}.out", result)


# --- 03_denoiser_scalings ------------------------------------------------------------------------------------------

SCALINGS: dict[str, Scaling] = {
    "edm05": partial(edm_scaling, data_deviation=0.5),
    "edm1": partial(edm_scaling, data_deviation=1.0),
    "eps": epsilon_scaling,
    "v": velocity_scaling,
    "v_edm_cnoise": velocity_edm_scaling,
    "EDMScaling": edm_scaling,
    "EpsScaling": epsilon_scaling,
    "VScaling": velocity_scaling,
    "VScalingWithEDMcNoise": velocity_edm_scaling,
}
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "unit": even_weight,
    "edm05": partial(edm_weight, data_deviation=0.5),
    "edm1": partial(edm_weight, data_deviation=1.0),
    "v": velocity_weight,
    "eps": epsilon_weight,
}
DISCRETIZATIONS: dict[str, Callable[[int], Any]] = {
    "edm": edm_sigmas,
    "edm_svd": partial(edm_sigmas, highest=700.0),
    "edm_ui": partial(edm_sigmas, lowest=0.03, highest=14.61, rho=3.0),
    "legacy": ddpm_sigmas,
}


def denoiser_scalings(case: Case, comparison: Comparison) -> None:
    """Coefficients, loss weights, noise levels, and denoisers that know a table only."""
    comparison.tolerance = POWERS
    sigma = case.inputs["sigma"]
    for name in case.expected:
        kind, _, rest = name.partition(".")
        if kind == "scaling":
            which, _, coefficient = rest.rpartition(".")
            by = SCALINGS[which](sigma)
            found = {"c_skip": by.skip, "c_out": by.out, "c_in": by.into, "c_noise": by.label}[coefficient]
            comparison.elementwise(name, found, rtol=EXACT)
        elif kind == "weighting":
            comparison.elementwise(name, WEIGHTS[rest](sigma), rtol=EXACT)
        elif kind == "continuous":
            denoise = ScaledDenoiser(_network(case), SCALINGS[rest.removesuffix(".out")])
            _compare_latents(comparison, name, denoise(case.inputs["x"], sigma))
        elif kind == "legacy_timesteps":
            comparison.tensor(name, torch.from_numpy(even_timesteps(int(rest))[::-1].copy()))
        elif kind != "discrete" and kind != "sampling":
            comparison.elementwise(name, _levels(kind, rest), rtol=POWERS)
    _compare_tables(case, comparison)
    _compare_training_levels(case, comparison)


def _levels(kind: str, rest: str) -> Tensor:
    which, steps, *share = rest.split(".", 2)
    levels = torch.from_numpy(DISCRETIZATIONS[which](int(steps))).float()
    if kind == "sigmas_flip_nozero":
        return levels.flip(0)
    with_end = torch.cat([levels, torch.zeros(1)]).numpy()
    if kind == "sigmas":
        return torch.from_numpy(with_end)
    if kind == "img2img":
        return torch.from_numpy(kept_for_image(with_end, float(share[0])))
    original = {"txt2noisy": int(steps), "txt2noisy_nooriginal": None}[kind]
    return torch.from_numpy(kept_before_refiner(with_end, float(share[0]), steps=original))


def _network(case: Case) -> Callable[[Tensor, Tensor], Tensor]:
    """The case's little network."""

    def network(inputs: Tensor, label: Tensor) -> Tensor:
        shaped = (-1, *[1] * (inputs.ndim - 1))
        vector = case.inputs["vector"].reshape(shaped)
        return (0.7 * inputs).tanh() + 0.1 * label.float().cos().reshape(shaped) + vector

    return network


def _compare_latents(comparison: Comparison, name: str, found: Tensor) -> None:
    """Sums of large numbers cancel here and there, so that their error is that of the largest."""
    largest = float(comparison.case.expected[name].abs().max())
    comparison.elementwise(name, found, rtol=EXACT, atol=EXACT * max(largest, 1.0))


def _compare_tables(case: Case, comparison: Comparison) -> None:
    table = torch.from_numpy(ddpm_sigmas(len(case.expected["discrete.sigmas_buffer"]))).float().flip(0)
    comparison.elementwise("discrete.sigmas_buffer", table, rtol=POWERS)
    noisy, sigma = case.inputs["x"], case.inputs["sigma"]
    for name, options in case.config["discrete"].items():
        denoise = TableDenoiser(_network(case), SCALINGS[options["scaling"]], table, options["quantize_c_noise"])
        places, by = denoise.nearest(sigma), denoise.coefficients(sigma)
        comparison.tensor(f"{name}.idx", places)
        comparison.elementwise(f"{name}.sigma_q", table[places], rtol=POWERS)
        comparison.elementwise(f"{name}.c_noise", by.label, rtol=POWERS)
        comparison.equal(f"{name}.c_noise is a place", by.label.dtype == case.expected[f"{name}.c_noise"].dtype, True)
        _compare_latents(comparison, f"{name}.net_in", by.into.reshape(-1, 1, 1, 1) * noisy)
        _compare_latents(comparison, f"{name}.out", denoise(noisy, sigma))


def _compare_training_levels(case: Case, comparison: Comparison) -> None:
    normal, places = case.inputs["rand_normal"], case.inputs["rand_idx"]
    table = torch.from_numpy(ddpm_sigmas(1000)).float().flip(0)
    # The case does not tell the settings of the custom sampler, so two of its levels must; the others are compared.
    wanted = case.expected["sampling.edm_custom"].double().log()
    low, high = int(normal.argmin()), int(normal.argmax())
    deviation = float((wanted[high] - wanted[low]) / (normal[high] - normal[low]).double())
    mean = float(wanted[low] - deviation * normal[low].double())
    drawn = {
        "edm_default": lognormal_sigmas(normal),
        "edm_custom": lognormal_sigmas(normal, mean=round(mean, 4), deviation=round(deviation, 4)),
        "discrete_legacy": table_sigmas(places, table),
        "zero": constant_sigmas(len(normal)),
    }
    for name, levels in drawn.items():
        comparison.elementwise(f"sampling.{name}", levels, rtol=POWERS)
