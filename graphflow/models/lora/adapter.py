"""A LoRA file as its headers describe it: the layers it changes, and how each change is written down. Reads no weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from graphflow.errors import ModelError, UnknownModelFormat
from graphflow.models.headers import TensorHeader, WeightHeaders, read_headers, read_json
from graphflow.models.lora.names import LoraKey, parse_key
from graphflow.models.source import ADAPTER_CONFIG_FILE, ADAPTER_STEM, METADATA_KEY, sidecar_of

_SHOWN = 8
_DIFFUSERS_METADATA = "lora_adapter_metadata"
_ALPHAS = ("lora_alpha", "alpha")
"""PEFT's names of alpha: of LoRA, and of its other kinds of adapters."""

_NEEDS: tuple[tuple[str, set[str], set[str]], ...] = (
    ("a LoRA", {"down", "up"}, {"mid"}),
    ("a LoHa", {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}, set()),
    ("a LoHa with a core", {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"}, set()),
    ("a LoKr", {"lokr_w1", "lokr_w2"}, set()),
    ("a LoKr", {"lokr_w1", "lokr_w2_a", "lokr_w2_b"}, {"lokr_t2"}),
    ("a LoKr", {"lokr_w1_a", "lokr_w1_b", "lokr_w2"}, set()),
    ("a LoKr", {"lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"}, {"lokr_t2"}),
    ("a LoRA of an embedding", {"embedding_down", "embedding_up"}, set()),
    ("a difference", {"diff"}, set()),
    ("a difference of a bias", {"diff_b"}, set()),
)
"""Kinds of changes: the tensors each consists of, and those that it may have."""
_WITH_ANY = {"alpha", "dora_scale", "magnitude", "diff_b", "up_bias"}


@dataclass(frozen=True)
class LoraLayer:
    """The change of one layer, as tensors of the file."""

    part: str
    """Network it belongs to."""
    layer: str
    """Path of the layer with `_` for every dot."""
    tensors: Mapping[str, TensorHeader]
    """By slot: `down`, `up`, `alpha`..."""
    alpha: float | None = None
    """From the file's metadata or the adapter's configuration; an `alpha` tensor comes before it. None: alpha is the rank."""
    rank: int | None = None
    """From the configuration, for changes whose tensors have none."""
    rank_stabilized: bool = False
    """Whether the change is scaled by alpha / sqrt(rank) (Kalajdzievski, arXiv 2312.03732)."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys in the file."""
        return tuple(header.name for header in self.tensors.values())


@dataclass(frozen=True)
class LoraFile:
    """All changes of a file."""

    path: Path
    layers: tuple[LoraLayer, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Networks that it changes, the denoiser first."""
        return tuple(sorted({layer.part for layer in self.layers}, key=lambda part: (part.startswith("text"), part)))

    def of_part(self, part: str) -> tuple[LoraLayer, ...]:
        """The changes of one network."""
        return tuple(layer for layer in self.layers if layer.part == part)


def read_lora(path: Path) -> LoraFile:
    """Describe a LoRA file or a PEFT folder from headers, metadata and `adapter_config.json`.

    Raises UnknownModelFormat if it holds no adapter, ModelError if a key means nothing or a layer's tensors are incomplete.
    """
    weights = _weights_of(path)
    headers = read_headers(weights)
    keys, unknown = _parsed(headers.tensors)
    if not keys:
        raise UnknownModelFormat(
            f"{path} is no LoRA: none of its {len(headers.tensors)} tensors is named as an adapter's"
            + (f" ({listed(headers.tensors)})" if headers.tensors else "")
            + ". Accepted are LoRA, LoCon, LoHa, LoKr and DoRA files in the layouts of kohya, diffusers and PEFT."
        )
    if unknown:
        raise ModelError(
            f"{path}: {len(unknown)} of {len(headers.tensors)} keys mean nothing to graphflow and would not apply: {listed(unknown)}. "
            "Use a LoRA without them."
        )
    configs = _configs(weights, headers)
    layers: dict[tuple[str, str], dict[str, TensorHeader]] = {}
    paths: dict[tuple[str, str], str] = {}
    for name, key in keys.items():
        slots = layers.setdefault((key.part, key.layer), {})
        if key.slot in slots:
            raise ModelError(
                f'{path} has two tensors for one thing: "{slots[key.slot].name}" and "{name}"; the file is damaged'
            )
        slots[key.slot] = headers.tensors[name]
        paths[key.part, key.layer] = key.path
    found = tuple(
        _layer(
            path,
            part,
            layer,
            slots=slots,
            config={**configs.get("", {}), **configs.get(part, {})},
            name=paths[part, layer],
        )
        for (part, layer), slots in layers.items()
    )
    _check_complete(path, found)
    return LoraFile(path, found, headers.metadata)


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _parsed(names: Iterable[str]) -> tuple[dict[str, LoraKey], list[str]]:
    keys, unknown = {}, []
    for name in names:
        if (key := parse_key(name)) is None:
            unknown.append(name)
        else:
            keys[name] = key
    return keys, unknown


def _check_complete(path: Path, layers: Iterable[LoraLayer]) -> None:
    incomplete = [key for layer in layers if not _is_complete(set(layer.tensors)) for key in layer.keys]
    if incomplete:
        raise ModelError(
            f"{path} lacks tensors: these keys are no whole change of a layer by themselves: {listed(incomplete)}. "
            "The file is cut short or of a kind that graphflow does not know; fetch it again."
        )


def _is_complete(slots: set[str]) -> bool:
    return any(needs <= slots <= needs | may | _WITH_ANY for _, needs, may in _NEEDS)


def _layer(
    path: Path, part: str, layer: str, *, slots: Mapping[str, TensorHeader], config: Mapping[str, Any], name: str
) -> LoraLayer:
    alpha = next((config[key] for key in _ALPHAS if config.get(key) is not None), None)
    pattern = config.get("alpha_pattern")
    if isinstance(pattern, dict):
        alpha = next((value for key, value in pattern.items() if _names(path, str(key), name)), alpha)
    rank = config.get("r")
    for value in (alpha, rank):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ModelError(f"{path}: alpha and rank in its configuration must be numbers; {value!r} is given")
    return LoraLayer(
        part,
        layer,
        slots,
        alpha=None if alpha is None else float(alpha),
        rank=None if rank is None else int(rank),
        rank_stabilized=bool(config.get("use_rslora", False)),
    )


def _names(path: Path, pattern: str, layer: str) -> bool:
    """Whether an entry of PEFT's `alpha_pattern` means the layer: as a regular expression for the end of its path."""
    try:
        return re.fullmatch(rf"(.*\.)?({pattern})", layer) is not None
    except re.error as error:
        raise ModelError(f"{path}: alpha_pattern {pattern!r} is no regular expression: {error}") from error


def _weights_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    names = [stem + suffix for stem in (ADAPTER_STEM, "pytorch_lora_weights") for suffix in (".safetensors", ".bin")]
    for name in names:
        if (path / name).is_file():
            return path / name
    raise ModelError(f"{path} is no folder of an adapter: it holds none of {', '.join(names)}")


def _configs(weights: Path, headers: WeightHeaders) -> dict[str, dict[str, Any]]:
    """PEFT configurations by part, "" for all parts, from `adapter_config.json`, diffusers' metadata, graphflow's metadata, `<file>.json`.

    The last one that says something wins.
    """
    found: dict[str, dict[str, Any]] = {}
    beside = weights.parent / ADAPTER_CONFIG_FILE
    if weights.name.startswith(ADAPTER_STEM) and beside.is_file():
        found[""] = dict(read_json(beside))
    for name, value in _json_metadata(weights, headers, _DIFFUSERS_METADATA).items():
        part, dot, key = name.partition(".")
        found.setdefault(part if dot else "", {})[key or part] = value
    sidecar = sidecar_of(weights)
    for hints in (_json_metadata(weights, headers, METADATA_KEY), read_json(sidecar) if sidecar.is_file() else {}):
        for part, config in hints.items():
            if isinstance(config, dict):
                found.setdefault(part, {}).update(config)
    return found


def _json_metadata(path: Path, headers: WeightHeaders, key: str) -> dict[str, Any]:
    if key not in headers.metadata:
        return {}
    try:
        content = json.loads(headers.metadata[key])
    except ValueError as error:
        raise ModelError(f'{path} has metadata "{key}" that is not JSON: {error}') from error
    if not isinstance(content, dict):
        raise ModelError(f'{path} has metadata "{key}" that is not a JSON object')
    return content
