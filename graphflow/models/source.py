"""A model as it lies on disk, read without weights: one file of tensors, or a folder with a component in each subfolder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphflow.errors import ModelError, UnknownModelFormat
from graphflow.models.headers import WEIGHT_SUFFIXES, WeightHeaders, is_index, read_headers, read_json, shard_files

CONFIG_FILE = "config.json"
PIPELINE_FILE = "model_index.json"
METADATA_KEY = "graphflow.config"
"""Where a safetensors file's metadata may hold configurations by part, as JSON: what shapes cannot tell."""
FOLDER_HINTS_FILE = "graphflow.json"
"""Where a diffusers folder may hold the same: what its other files don't say."""
UNUSED_COMPONENTS = ("safety_checker", "feature_extractor", "image_processor", "depth_estimator")
"""What pipelines bring along that is none of the networks of a diffusion model."""

ADAPTER_CONFIG_FILE = "adapter_config.json"
ADAPTER_STEM = "adapter_model"
"""Where PEFT keeps an adapter's settings, and how the file of its weights starts."""
TOKENIZER_FOLDERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
"""Where a diffusers folder has the tokenizer of each text encoder."""

_WEIGHT_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model", ADAPTER_STEM)
_VARIANTS = ("", ".fp16", ".bf16")


@dataclass(frozen=True)
class Component:
    """One network of a diffusers folder."""

    config: Mapping[str, Any]
    headers: WeightHeaders

    @property
    def class_name(self) -> str:
        """The class that its configuration names, such as `AutoencoderKL`."""
        return class_of(self.config)


@dataclass(frozen=True)
class ModelSource:
    """What a detector looks at. A file has tensors and no components, a folder components and no tensors."""

    path: Path
    headers: WeightHeaders = field(default_factory=lambda: WeightHeaders({}))
    components: Mapping[str, Component] = field(default_factory=dict)
    """By subfolder, or by class for a folder that is one component itself."""
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Configurations by part that a caller, a sidecar or the file's metadata give; they say what shapes cannot."""
    own_config: Mapping[str, Any] = field(default_factory=dict)
    """The `config.json` beside a file that is one component."""
    tokenizers: Mapping[str, Path] = field(default_factory=dict)
    """Folders of tokenizers, by the text encoder that they belong to."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, as the files have them."""
        names = [f"{part}/{name}" for part, component in self.components.items() for name in component.headers.tensors]
        return (*self.headers.tensors, *names)


def read_source(path: Path, hints: Mapping[str, Mapping[str, Any]] | None = None) -> ModelSource:
    """Headers and configurations of a model file or folder. Raises ModelError if one of them is missing or damaged."""
    if path.is_dir():
        return _read_folder(path, hints or {})
    headers = read_headers(path)
    known = _sidecar_hints(path, headers)
    beside = _config_beside(path)
    own = read_json(beside) if beside else {}
    if not class_of(own) and "model_type" not in own:
        own = {}  # another tool's configuration, not a network's
    return ModelSource(
        path, headers, hints=_merged(known, hints or {}), scheduler=known.get("scheduler", {}), own_config=own
    )


def companions_of(path: Path) -> list[Path]:
    """Files that decide, with a model file, what the model is: its shards, and its configuration where it has one."""
    shards = shard_files(path) if is_index(path) else ()
    adapter = path.parent / ADAPTER_CONFIG_FILE if path.name.startswith(ADAPTER_STEM) else None
    return [
        *shards,
        *(file for file in (sidecar_of(path), _config_beside(path), adapter) if file is not None and file.is_file()),
    ]


def sidecar_of(path: Path) -> Path:
    """Where the configuration that belongs to a single-file model may lie: `model.safetensors.json`."""
    return path.with_name(path.name + ".json")


def _config_beside(path: Path) -> Path | None:
    """The `config.json` that describes a component's weights file."""
    beside = path.parent / CONFIG_FILE
    return beside if path.name.startswith(_WEIGHT_STEMS) and beside.is_file() else None


def _read_folder(path: Path, hints: Mapping[str, Mapping[str, Any]]) -> ModelSource:
    if not (path / PIPELINE_FILE).is_file():
        if not (path / CONFIG_FILE).is_file():
            raise UnknownModelFormat(
                f"{path} is no model folder: it has neither {PIPELINE_FILE} (a diffusers pipeline) nor {CONFIG_FILE} (one network)"
            )
        config = read_json(path / CONFIG_FILE)
        return ModelSource(
            path,
            components={class_of(config): Component(config, _component_headers(path))},
            hints=hints,
            tokenizers=dict.fromkeys(TOKENIZER_FOLDERS, path) if _holds_tokenizer(path) else {},
        )
    index = read_json(path / PIPELINE_FILE)
    components = {
        name: Component(read_json(path / name / CONFIG_FILE), _component_headers(path / name))
        for name in pipeline_networks(index)
        if (path / name / CONFIG_FILE).is_file()
    }
    scheduler = path / "scheduler" / "scheduler_config.json"
    own = path / FOLDER_HINTS_FILE
    known = _hint_objects(own, read_json(own)) if own.is_file() else {}
    return ModelSource(
        path,
        components=components,
        scheduler=read_json(scheduler) if scheduler.is_file() else {},
        hints=_merged(known, hints),
        tokenizers={
            text_encoder: path / folder
            for text_encoder, folder in TOKENIZER_FOLDERS.items()
            if (path / folder).is_dir()
        },
    )


def _holds_tokenizer(folder: Path) -> bool:
    """Whether the folder of a text encoder has its tokenizer beside the weights, as those do that are published alone."""
    return (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file()


def pipeline_networks(index: Mapping[str, Any]) -> tuple[str, ...]:
    """Components that a `model_index.json` names, except those that graphflow never loads (safety checker and its like)."""
    unused = {*UNUSED_COMPONENTS, "scheduler", "tokenizer"}
    return tuple(
        name
        for name, entry in index.items()
        if isinstance(entry, list)
        and len(entry) == 2
        and entry[1]
        and name not in unused
        and not name.startswith("tokenizer")
    )


def weights_in(folder: Path) -> Path | None:
    """The weights file of a component's folder.

    safetensors before pickle, whole precision before the fp16 and bf16 variants, one file before shards; None if it has none.
    """
    for suffix in WEIGHT_SUFFIXES:
        for variant in _VARIANTS:
            for stem in _WEIGHT_STEMS:
                for name in (f"{stem}{variant}{suffix}", f"{stem}{suffix}{variant}"):
                    if (folder / name).is_file():
                        return folder / name
                shard_index = suffix.replace(".index.json", f".index{variant}.json")
                if shard_index != suffix and (folder / f"{stem}{shard_index}").is_file():
                    return folder / f"{stem}{shard_index}"
    return None


def _component_headers(folder: Path) -> WeightHeaders:
    weights = weights_in(folder)
    if weights is None:
        raise ModelError(
            f"{folder} has a {CONFIG_FILE} but no weights; accepted are .safetensors (one file or shards) and .bin"
        )
    return read_headers(weights)


def _sidecar_hints(path: Path, headers: WeightHeaders) -> dict[str, Mapping[str, Any]]:
    """Configurations from the file's metadata, then from `<file>.json`, which wins."""
    hints: dict[str, Mapping[str, Any]] = {}
    if METADATA_KEY in headers.metadata:
        hints = _hint_objects(path, _parsed(path, headers.metadata[METADATA_KEY]))
    sidecar = sidecar_of(path)
    if sidecar.is_file():
        hints = _merged(hints, _hint_objects(sidecar, read_json(sidecar)))
    return hints


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ModelError(f'{path} has metadata "{METADATA_KEY}" that is not JSON: {error}') from error


def _hint_objects(path: Path, content: Any) -> dict[str, Mapping[str, Any]]:
    """Parts that hold a JSON object; other entries belong to other tools."""
    if not isinstance(content, dict):
        raise ModelError(f'{path}: accepted is an object of configurations by part, such as {{"unet": {{...}}}}')
    return {name: entry for name, entry in content.items() if isinstance(entry, dict)}


def _merged(
    low: Mapping[str, Mapping[str, Any]], high: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    return {part: {**low.get(part, {}), **high.get(part, {})} for part in {**low, **high}}


def class_of(config: Mapping[str, Any]) -> str:
    """Class that a diffusers or transformers configuration names; empty if it names none."""
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures:
        return str(architectures[0])
    return str(config.get("_class_name", ""))
