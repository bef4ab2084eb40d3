"""Stable Diffusion 1.x of any size: which tensors are whose, and the recipes that nodes get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, get_args

from graphflow.errors import ModelMismatch
from graphflow.models import keymap
from graphflow.models.description import Layout, ModelDescription, PartDescription, check_config
from graphflow.models.detectors.sd15_sizes import Sizes, text_encoder_sizes, unet_sizes, vae_sizes
from graphflow.models.headers import TensorHeader
from graphflow.models.source import ModelSource, class_of
from graphflow.ports.model import BetaSchedule, Denoiser, ModelRecipe, NoiseSpec, PredictionType, TextEncoder, Vae

FAMILY = "sd15"

Tensors = Mapping[str, TensorHeader]
Choice = TypeVar("Choice", bound=str)

_CLASSES = {
    "UNet2DConditionModel": "unet",
    "AutoencoderKL": "vae",
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "text_encoder",
}
_SIZES: Mapping[str, Callable[[Tensors], Sizes | None]] = {
    "unet": unet_sizes,
    "text_encoder": text_encoder_sizes,
    "vae": vae_sizes,
}
_FOREIGN = ("conditioner.", "cond_stage_model.model.", "model.diffusion_model.label_emb.", "control_model.")
"""Keys of SDXL, Stable Diffusion 2, and ControlNet checkpoints, whose other keys look like ours."""
_FOREIGN_PARTS = ("add_embedding.", "class_embedding.", "label_emb.", "controlnet_cond_embedding.", "input_hint_block.")
_LEFT_BY_TRAINING = ("model_ema.", "loss.", "lpips.", "discriminator.")
_BUFFERS = ("embeddings.position_ids", "text_projection.weight", "logit_scale")


class _Part(NamedTuple):
    """Tensors of one part under their names in the file, and what its configuration says."""

    tensors: Tensors
    config: Mapping[str, Any]


def detect(source: ModelSource) -> ModelDescription | None:
    """Describe a Stable Diffusion 1.x file or folder, whole or a single network of it; None if it is something else."""
    found = _parts_of_folder(source) if source.components else _parts_of_file(source)
    configs: dict[str, dict[str, Any]] = {}
    tensors: dict[str, Tensors] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    assumed: dict[str, str] = {}
    original = False
    for name, part in found.items():
        named, left, is_original = _names_in_memory(name, part.tensors)
        original = original or is_original
        sizes = _SIZES[name](named)
        if sizes is None:
            return None
        given = {**part.config, **source.hints.get(name, {})}
        check_config(source.path, name, config=given, shapes=sizes.seen)
        assumed |= {f"{name}.{key}": str(value) for key, value in sizes.assumed.items() if key not in given}
        configs[name] = {**sizes.seen, **sizes.assumed, **given}
        tensors[name], unknown[name] = named, left
    if not found:
        return None
    recipes = _recipes(source, configs)
    layout: Layout = "original" if original else "diffusers"
    parts = {name: PartDescription(configs[name], tensors[name], recipes[name], unknown[name]) for name in found}
    return ModelDescription(source.path, FAMILY, layout, parts, source.tokenizer, assumed)


def _parts_of_folder(source: ModelSource) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    for component in source.components.values():
        name = _CLASSES.get(component.class_name)
        if name is None or name in parts or component.config.get("addition_embed_type") is not None:
            return {}
        parts[name] = _Part(component.headers.tensors, component.config)
    return parts


def _parts_of_file(source: ModelSource) -> dict[str, _Part]:
    """Parts of a file: by the prefixes of a whole checkpoint, else the one part that the file is."""
    tensors = source.headers.tensors
    if any(name.startswith(_FOREIGN) for name in tensors):
        return {}
    whole: dict[str, _Part] = {}
    for name, prefix in keymap.ORIGINAL_PREFIXES.items():
        inside = keymap.with_prefix(tensors, prefix) or keymap.with_prefix(tensors, f"{name}.")
        if inside:
            whole[name] = _Part(inside, {})
    if whole:
        return whole
    single = _CLASSES.get(class_of(source.own_config)) or _single_part(tensors)
    return {single: _Part(tensors, source.own_config)} if single else {}


def _single_part(tensors: Tensors) -> str | None:
    """Which network a file without prefixes is."""
    if any(name.startswith(_FOREIGN_PARTS) for name in tensors):
        return None
    if {"time_embedding.linear_1.weight", "conv_out.weight"} <= tensors.keys():
        return "unet"
    if {"time_embed.0.weight", "out.2.weight"} <= tensors.keys():
        return "unet"
    if {"encoder.conv_in.weight", "decoder.conv_out.weight"} <= tensors.keys():
        return "vae"
    if any(keymap.text_name(name) == "embeddings.token_embedding.weight" for name in tensors):
        return "text_encoder"
    return None


def _names_in_memory(part: str, tensors: Tensors) -> tuple[dict[str, TensorHeader], tuple[str, ...], bool]:
    """The part's tensors under the names the network has, the names that no network has, and whether the layout is original."""
    if part == "text_encoder":
        named = {keymap.text_name(name): tensor for name, tensor in tensors.items()}
        return {name: tensor for name, tensor in named.items() if name not in _BUFFERS}, (), False
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_LEFT_BY_TRAINING)}
    if part == "vae":
        if "encoder.mid.block_1.conv1.weight" not in tensors:
            return {keymap.current_vae_name(name): tensor for name, tensor in tensors.items()}, (), False
        levels = keymap.count(tensors, "encoder.down.{}.block.0.conv1.weight")
        layers = keymap.count(tensors, "encoder.down.0.block.{}.conv1.weight")
        named, unknown = keymap.renamed(tensors, keymap.vae_renaming(levels, layers).diffusers)
        return named, tuple(unknown), True
    if "time_embed.0.weight" not in tensors:
        return dict(tensors), (), False
    outline = keymap.outline_of_original(tensors)
    if outline is None:
        return dict(tensors), (), True
    named, unknown = keymap.renamed(tensors, keymap.unet_renaming(outline).diffusers)
    return named, tuple(unknown), True


def _recipes(source: ModelSource, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, ModelRecipe]:
    """What nodes get for each part; the denoiser's reduction is that of the VAE beside it, else SD 1.5's."""
    vae, unet = configs.get("vae"), configs.get("unet")
    reduction = 2 ** (len(vae["block_out_channels"]) - 1) if vae else 8
    recipes: dict[str, ModelRecipe] = {}
    if unet:
        recipes["unet"] = Denoiser(
            file="",
            fingerprint="",
            family=FAMILY,
            part="unet",
            noise=_noise(source),
            latent_channels=int(unet["out_channels"]),
            latent_reduction=reduction,
            sample_size=int(unet["sample_size"] or 64),
        )
    if "text_encoder" in configs:
        recipes["text_encoder"] = TextEncoder(file="", fingerprint="", family=FAMILY, part="text_encoder")
    if vae:
        recipes["vae"] = Vae(
            file="",
            fingerprint="",
            family=FAMILY,
            part="vae",
            scaling_factor=float(vae["scaling_factor"]),
            shift_factor=float(vae.get("shift_factor") or 0.0),
            latent_channels=int(vae["latent_channels"]),
            reduction=reduction,
        )
    return recipes


def _noise(source: ModelSource) -> NoiseSpec:
    """How the model was trained, from its scheduler's configuration; SD 1.5's where nothing is said."""
    config = {**source.scheduler, **source.hints.get("scheduler", {})}
    default = NoiseSpec()
    trainer = {"v": "v_prediction", "epsilon": "epsilon"}.get(
        source.headers.metadata.get("modelspec.prediction_type", "")
    )
    predictions: tuple[PredictionType, ...] = get_args(PredictionType)
    schedules: tuple[BetaSchedule, ...] = get_args(BetaSchedule)
    return NoiseSpec(
        prediction=_choice(
            source, "prediction_type", config.get("prediction_type", trainer or default.prediction), predictions
        ),
        train_steps=int(config.get("num_train_timesteps", default.train_steps)),
        beta_start=float(config.get("beta_start", default.beta_start)),
        beta_end=float(config.get("beta_end", default.beta_end)),
        beta_schedule=_choice(source, "beta_schedule", config.get("beta_schedule", default.beta_schedule), schedules),
        zero_terminal_snr=bool(config.get("rescale_betas_zero_snr", default.zero_terminal_snr)),
    )


def _choice(source: ModelSource, name: str, said: Any, accepted: tuple[Choice, ...]) -> Choice:
    for choice in accepted:
        if said == choice:
            return choice
    raise ModelMismatch(f"{source.path}, scheduler: {name} is {said!r}; accepted are {', '.join(accepted)}")
