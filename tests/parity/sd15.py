"""Checks of the sd15 cases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from graphflow.diffusion import (
    SAMPLERS,
    CfgGuider,
    Network,
    Sampler,
    Schedule,
    UNetDenoiser,
    decode_latents,
    decode_raw,
    draw_noise,
    encode_tokens,
    find_sampler,
    make_schedule,
    pixels_from_pil,
    posterior,
    sample,
    start_latents,
    to_model_range,
)
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.models.description import ModelDescription
from graphflow.models.detect import detect
from graphflow.models.loaders import load_part
from graphflow.models.loaders.stable_diffusion import to_original
from graphflow.ports import Conditioning, ConditioningEntry, NoiseSpec
from tests.parity.cases import Case, Comparison

PARTS = ("unet", "vae", "text_encoder")

SAMPLER_OF = {"dpmpp": "dpmpp_2m", "euler_ancestral": "euler_a"}
"""graphflow's names of samplers that the cases call otherwise."""


def layouts_img2img(case: Case, comparison: Comparison) -> None:
    """One set of weights in three files gives one model; its text encoder and image-to-image are those of diffusers."""
    folder = detect(case.path / "model")
    networks = {part: load(folder, part) for part in PARTS}
    _compare_layouts(case, comparison, folder, networks)
    _compare_text_encoder(case, comparison, networks["text_encoder"])
    for run in case.config["runs"]:
        network = UNetDenoiser(networks["unet"])
        compare_image_to_image(case, comparison, network, networks["vae"], prompts=prompts_of(case), run=run)


def load(description: ModelDescription, part: str) -> nn.Module:
    return load_part(description, part, dtype=torch.float32, device=torch.device("cpu"))


def _compare_layouts(
    case: Case, comparison: Comparison, folder: ModelDescription, networks: dict[str, nn.Module]
) -> None:
    """The original single file, the flat text encoder and the key map, to the bit."""
    # Head counts and norm groups of models this small cannot be told from shapes.
    configs = {part: folder.parts[part].config for part in PARTS}
    original_file = case.path / "original_ldm.safetensors"
    original = detect(original_file, configs)
    flat = detect(case.path / "text_encoder_flat.safetensors", {"text_encoder": configs["text_encoder"]})
    loaded = [(original, part) for part in PARTS] + [(flat, "text_encoder")]
    for description, part in loaded:
        state = load(description, part).state_dict()
        for name, tensor in networks[part].state_dict().items():
            comparison.equal(f"{description.path.name} {part}.{name}", state[name], tensor)

    stored = {part: load_file(next((case.path / "model" / part).glob("*.safetensors"))) for part in PARTS}
    written = to_original(stored)
    for name, tensor in load_file(original_file).items():
        comparison.equal(f"written {name}", written.get(name), tensor)
    for row in case.table("keymap.csv"):
        part, _, name = row["diffusers_key"].partition(".")
        wanted = stored[part][name], written.get(row["original_key"], torch.empty(0))
        shapes = ["x".join(map(str, tensor.shape)) for tensor in wanted]
        comparison.equal(f"keymap {row['diffusers_key']}", shapes, [row["diffusers_shape"], row["original_shape"]])
        comparison.equal(f"keymap {row['original_key']}", wanted[1].flatten(), wanted[0].flatten())


def _compare_text_encoder(case: Case, comparison: Comparison, encoder: Any) -> None:
    ids = case.inputs["clip_input_ids"]
    last, skipped = encode_tokens(encoder, ids), encode_tokens(encoder, ids, clip_skip=1)
    comparison.tensor("clip/last_hidden_state", last.hidden)
    comparison.tensor("clip/pooled", last.pooled)
    # The case has the skipped layer before the final norm, which graphflow applies.
    expected = case.expected["clip/hidden_states_minus2"]
    with torch.no_grad():
        normed = encoder.final_layer_norm(expected)
    difference = float((skipped.hidden - normed).abs().max())
    limit = comparison.tolerance * max(1.0, float(normed.square().mean().sqrt()))
    comparison.equal("clip skip 1, after the final norm", difference <= limit, True)
    hidden = encoder(ids, output_hidden_states=True).hidden_states[-2]
    comparison.tensor("clip/hidden_states_minus2", hidden)


@dataclass
class Recording:
    """A guider's network that remembers its last call."""

    network: Network
    latents: Tensor = field(default_factory=lambda: torch.empty(0))
    predictions: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        self.latents = latents
        self.predictions = self.network(latents, timestep, conditioning)
        return self.predictions


def prompts_of(case: Case) -> tuple[Conditioning, Conditioning]:
    """The case's positive and negative prompt."""
    positive, negative = (
        Conditioning((ConditioningEntry(case.inputs[name]),)) for name in ("prompt_embeds", "negative_prompt_embeds")
    )
    return positive, negative


def compare_image_to_image(
    case: Case,
    comparison: Comparison,
    network: Network,
    vae: Any,
    *,
    prompts: tuple[Conditioning, Conditioning],
    run: str,
) -> None:
    """From the case's picture and draws to another picture, with every tensor on the way."""
    options = case.config["runs"][run]
    schedule = schedule_of(case, run)
    comparison.tensor(f"{run}/scheduler.timesteps", schedule.timesteps.float())
    comparison.equal(f"{run} executed steps", schedule.calls, options["executed_steps"])

    scaling = {"scaling_factor": float(vae.config.scaling_factor), "shift_factor": float(vae.config.shift_factor or 0)}
    pixels = pixels_from_pil(Image.fromarray(case.inputs["image"].numpy()))
    found = posterior(vae, pixels)
    generator = torch.Generator().manual_seed(options["seed_torch_cpu"])
    posterior_noise, noise = _draws(case, comparison, run, generator)
    latents = (found.sample(posterior_noise) - scaling["shift_factor"]) * scaling["scaling_factor"]
    start = start_latents(latents, noise, schedule)
    comparison.tensor(f"{run}/latents_start", start)

    recording = Recording(network)
    # The pipeline of the cases guides by scales above 1 only.
    guider = CfgGuider(recording, *prompts, max(float(options["guidance_scale"]), 1.0), schedule.noise)
    step = 0

    def model(latents: Tensor, timestep: Tensor) -> Tensor:
        combined = guider(latents, timestep)
        *uncond, cond = recording.predictions.chunk(2 if guider.is_on else 1)
        comparison.tensor(f"{run}/step{step}.timestep", timestep.reshape(1).float())
        comparison.tensor(f"{run}/step{step}.pred_cond", cond)
        if uncond:
            comparison.tensor(f"{run}/step{step}.pred_uncond", uncond[0])
        comparison.tensor(f"{run}/step{step}.pred_combined", combined)
        comparison.tensor_if_expected(f"{run}/step{step}.unet_input", recording.latents)
        return combined

    def on_step(done: int, total: int, latents: Tensor, clean: Tensor) -> None:
        nonlocal step
        comparison.tensor(f"{run}/step{step}.latents", latents)
        step = done

    result = sample(model, start, schedule, on_step=on_step, generator=generator)
    comparison.tensor(f"{run}/image", decode_latents(vae, result, **scaling))
    bulky = {
        "image_preprocessed": to_model_range(pixels),
        "posterior_mean": found.mean,
        "posterior_logvar": found.log_variance,
        "vae_decode_input": result / scaling["scaling_factor"] + scaling["shift_factor"],
        "vae_decode_output": decode_raw(vae, result, **scaling),
    }
    for name, tensor in bulky.items():
        comparison.tensor_if_expected(f"{run}/{name}", tensor)


def _draws(case: Case, comparison: Comparison, run: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The two recorded draws, which graphflow's own from the same generator must equal."""
    recorded = case.inputs[f"posterior_noise.{run}"], case.inputs[f"noise.{run}"]
    for name, tensor in zip(("posterior noise", "noise"), recorded, strict=True):
        comparison.equal(f"{run} {name}", draw_noise(tensor.shape, generator), tensor)
    return recorded


def schedule_of(case: Case, run: str) -> Schedule:
    """The noise schedule of a run."""
    options = case.config["runs"][run]
    config = case.config["schedulers"][options["sched"]]
    name = SAMPLER_OF.get(options["sched"], options["sched"])
    assert name in SAMPLERS, (
        f"the run's scheduler {options['sched']} is none of graphflow's samplers: {sorted(SAMPLERS)}"
    )
    return make_schedule(
        _noise_spec(config),
        _configured(find_sampler(name), config),
        steps=options["num_inference_steps"],
        kind="karras" if config.get("use_karras_sigmas") else "normal",
        spacing=config["timestep_spacing"],
        steps_offset=config.get("steps_offset", 0),
        strength=options["strength"],
    )


_NOISE = {
    "prediction_type": "prediction",
    "num_train_timesteps": "train_steps",
    "beta_start": "beta_start",
    "beta_end": "beta_end",
    "beta_schedule": "beta_schedule",
    "rescale_betas_zero_snr": "zero_terminal_snr",
}
"""Fields of NoiseSpec by their names in a scheduler's configuration."""

_SCHEDULE = {"use_karras_sigmas", "timestep_spacing", "steps_offset"}

_FIXED: dict[str, Any] = {
    "trained_betas": None,
    "interpolation_type": "linear",
    "timestep_type": "discrete",
    "sigma_min": None,
    "sigma_max": None,
    "final_sigmas_type": "zero",
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "use_flow_sigmas": False,
}
"""Settings of diffusers' schedules that graphflow has in one form only."""


def _noise_spec(config: dict[str, Any]) -> NoiseSpec:
    return NoiseSpec(**{field: config[name] for name, field in _NOISE.items() if name in config})


def _configured(sampler: Sampler, config: dict[str, Any]) -> Sampler:
    """The sampler with the settings of a scheduler's configuration that are neither of the noise nor of the schedule."""
    odd = {name: config[name] for name, value in _FIXED.items() if config.get(name, value) != value}
    assert not odd, f"graphflow's schedules have no such setting yet: {odd}"
    own = {
        name: value
        for name, value in config.items()
        if name not in _NOISE and name not in _SCHEDULE and name not in _FIXED and not name.startswith("_")
    }
    return replace(sampler, config=own)
