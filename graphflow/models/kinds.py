"""Kinds of models: the folders that they lie in, and which kind a file is."""

from __future__ import annotations

from pathlib import Path

from graphflow.errors import ModelError, UnknownModelFormat
from graphflow.models.detect import detect
from graphflow.models.headers import read_headers, read_json
from graphflow.models.lora.adapter import read_lora
from graphflow.models.source import ADAPTER_CONFIG_FILE, CONFIG_FILE, PIPELINE_FILE, class_of

KINDS = (
    "checkpoints",
    "denoisers",
    "text_encoders",
    "vaes",
    "loras",
    "controlnets",
    "embeddings",
    "upscalers",
    "tokenizers",
)
"""Kinds that graphflow itself knows; the subfolders of the models folder. Packs may use others."""

WHOLE = "checkpoints"
"""Kind of the models that hold several networks."""

_OF_PARTS = {
    "unet": "denoisers",
    "text_encoder": "text_encoders",
    "text_encoder_2": "text_encoders",
    "vae": "vaes",
    "controlnet": "controlnets",
    "upscaler": "upscalers",
}
_OF_CLASSES = {
    "UNet2DConditionModel": "denoisers",
    "CLIPTextModel": "text_encoders",
    "CLIPTextModelWithProjection": "text_encoders",
    "AutoencoderKL": "vaes",
    "ControlNetModel": "controlnets",
}
_EMBEDDING_KEYS = {"emb_params", "clip_l", "clip_g"}


def kinds_with(kind: str) -> tuple[str, ...]:
    """Kinds whose models hold what this kind is: a part may also be taken from a whole checkpoint."""
    return (kind, WHOLE) if kind in ("denoisers", "text_encoders", "vaes") else (kind,)


def kind_of(path: Path) -> str | None:
    """The kind of a model file or folder, from configurations and headers; None for what graphflow does not know.

    Raises ModelError if it is damaged.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    if (keys := read_headers(path).tensors.keys()) and keys <= _EMBEDDING_KEYS:
        return "embeddings"
    try:
        read_lora(path)
    except UnknownModelFormat:
        return _kind_of_networks(path)
    return "loras"


def _kind_of_folder(path: Path) -> str | None:
    if (path / PIPELINE_FILE).is_file():
        return WHOLE
    if (path / ADAPTER_CONFIG_FILE).is_file():
        return "loras"
    if (path / CONFIG_FILE).is_file():
        return _OF_CLASSES.get(class_of(read_json(path / CONFIG_FILE)))
    return "tokenizers" if (path / "vocab.json").is_file() or (path / "tokenizer_config.json").is_file() else None


def _kind_of_networks(path: Path) -> str | None:
    try:
        parts = list(detect(path).parts)
    except UnknownModelFormat:
        return None
    return _OF_PARTS.get(parts[0]) if len(parts) == 1 else WHOLE


def bundled_kind(path: Path) -> str:
    """The kind of a bundled model; a checkpoint where nothing tells, or where it is damaged."""
    try:
        return kind_of(path) or WHOLE
    except ModelError:
        return WHOLE
