"""What nodes get for the networks of Stable Diffusion: recipes, and how the denoiser was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args

from graphflow.errors import ModelMismatch
from graphflow.models.detectors.families import SD2, DiffusionFamily
from graphflow.models.source import ModelSource
from graphflow.ports.model import (
    BetaSchedule,
    Denoiser,
    ModelRecipe,
    NoiseSpec,
    PredictionType,
    Projection,
    TextEncoder,
    Vae,
)

Choice = TypeVar("Choice", bound=str)

_VELOCITY_MARK = "v_pred"
_ZERO_SNR_MARK = "ztsnr"
"""Empty tensors with which trainers mark models that predict velocity, and that start from noise alone."""

_LATENT_CHANNELS = 4


def adapted_family(family: DiffusionFamily, *, in_channels: int) -> DiffusionFamily:
    """The family's published values for a UNet that takes this many channels.

    Stable Diffusion 2's inpainting and depth models come from its 512 pixel base, which predicts noise.
    """
    if family == SD2 and in_channels != _LATENT_CHANNELS:
        return replace(family, sample_size=64, noise=replace(family.noise, prediction="epsilon"))
    return family


def recipes(
    source: ModelSource, family: DiffusionFamily, configs: Mapping[str, Mapping[str, Any]], noise: NoiseSpec
) -> dict[str, ModelRecipe]:
    """What nodes get for each part; the denoiser's reduction is that of the VAE beside it, else 8."""
    vae, unet = configs.get("vae"), configs.get("unet")
    reduction = 2 ** (len(vae["block_out_channels"]) - 1) if vae else 8
    made: dict[str, ModelRecipe] = {}
    if unet:
        made["unet"] = Denoiser(
            file="",
            fingerprint="",
            family=family.name,
            part="unet",
            noise=noise,
            latent_channels=int(unet["out_channels"]),
            latent_reduction=reduction,
            sample_size=int(unet["sample_size"] or family.sample_size),
            concat_channels=int(unet["in_channels"]) - int(unet["out_channels"]),
            preview=_projection(source, channels=int(unet["out_channels"])),
        )
    for part in ("text_encoder", "text_encoder_2"):
        if part in configs:
            made[part] = TextEncoder(file="", fingerprint="", family=family.name, part=part)
    if vae:
        made["vae"] = Vae(
            file="",
            fingerprint="",
            family=family.name,
            part="vae",
            scaling_factor=float(vae["scaling_factor"]),
            shift_factor=float(vae.get("shift_factor") or 0.0),
            latent_channels=int(vae["latent_channels"]),
            reduction=reduction,
        )
    return made


def _projection(source: ModelSource, *, channels: int) -> Projection | None:
    """Colours of the latents, where the model says them: `{"preview": {"projection": [[red, green, blue], ...]}}`. Raises ModelMismatch."""
    rows = source.hints.get("preview", {}).get("projection")
    if rows is None:
        return None
    try:
        projection = tuple((float(red), float(green), float(blue)) for red, green, blue in rows)
    except (TypeError, ValueError):
        projection = ()
    if len(projection) != channels + 1:
        raise ModelMismatch(
            f"{source.path}, preview: the projection must be {channels + 1} rows of red, green and blue, one for each of the "
            f"{channels} latent channels and one to add; it is {rows!r}"
        )
    return projection


def noise_spec(source: ModelSource, family: DiffusionFamily) -> tuple[NoiseSpec, bool]:
    """How the model was trained, and whether something said what it predicts.

    The scheduler's configuration says it, else the trainer's marks in the file, else the family's published values hold.
    Raises ModelMismatch for a value that no model has.
    """
    config = {**source.scheduler, **source.hints.get("scheduler", {})}
    default = family.noise
    marked = "v_prediction" if _VELOCITY_MARK in source.headers.tensors else None
    trainer = {"v": "v_prediction", "epsilon": "epsilon"}.get(
        source.headers.metadata.get("modelspec.prediction_type", "")
    )
    said = config.get("prediction_type", trainer or marked)
    zero_snr = config.get("rescale_betas_zero_snr", _ZERO_SNR_MARK in source.headers.tensors)
    predictions: tuple[PredictionType, ...] = get_args(PredictionType)
    schedules: tuple[BetaSchedule, ...] = get_args(BetaSchedule)
    spec = NoiseSpec(
        prediction=_choice(source, "prediction_type", said or default.prediction, predictions),
        train_steps=int(config.get("num_train_timesteps", default.train_steps)),
        beta_start=float(config.get("beta_start", default.beta_start)),
        beta_end=float(config.get("beta_end", default.beta_end)),
        beta_schedule=_choice(source, "beta_schedule", config.get("beta_schedule", default.beta_schedule), schedules),
        zero_terminal_snr=bool(zero_snr),
    )
    return spec, said is not None


def _choice(source: ModelSource, name: str, said: Any, accepted: tuple[Choice, ...]) -> Choice:
    for choice in accepted:
        if said == choice:
            return choice
    raise ModelMismatch(f"{source.path}, scheduler: {name} is {said!r}; accepted are {', '.join(accepted)}")
