"""Trained LoRA factors as files for other tools, with the alpha they were trained with.

diffusers' own converter to kohya's layout writes alpha = rank whatever it was, and SDXL's prefix for the text encoder of Stable Diffusion 1.x.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from graphflow.errors import ModelMismatch
from graphflow.models.lora.names import TEXT_MODEL

T = TypeVar("T", int, float)


@dataclass(frozen=True)
class LowRank:
    """The change of one layer: (alpha / rank) * up @ down."""

    down: Tensor
    """`[rank, in]`, or `[rank, in, height, width]` for a convolution."""
    up: Tensor
    """`[out, rank]`, or `[out, rank, 1, 1]` for a convolution."""
    alpha: float

    @property
    def rank(self) -> int:
        """Inner side of the product."""
        return self.down.shape[0]


Layers = Mapping[str, Mapping[str, LowRank]]
"""Changes by network (`unet`, `text_encoder`, `text_encoder_2`) and by path of the layer in it (`mid_block.attentions.0.proj_in`)."""

_KOHYA_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}


def to_kohya(layers: Layers) -> dict[str, Tensor]:
    """Tensors in the layout of kohya's tools, alpha as a tensor beside each layer; two text encoders are numbered as SDXL's are.

    Raises ModelMismatch for a network that the layout has no name for.
    """
    prefixes = dict(_KOHYA_PREFIXES)
    if "text_encoder_2" in layers:
        prefixes["text_encoder"] = "lora_te1"
    tensors: dict[str, Tensor] = {}
    for part, changes in layers.items():
        if part not in prefixes:
            raise ModelMismatch(f"kohya's layout has no name for a {part}; it has {', '.join(prefixes)}")
        for path, change in changes.items():
            name = f"{prefixes[part]}_{_in_files(part, path).replace('.', '_')}"
            tensors[f"{name}.lora_down.weight"] = change.down.contiguous()
            tensors[f"{name}.lora_up.weight"] = change.up.contiguous()
            tensors[f"{name}.alpha"] = change.down.new_tensor(change.alpha)
    return tensors


def to_diffusers(layers: Layers) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors in PEFT's naming with the network in front, as diffusers saves them, and the file metadata that holds alpha."""
    tensors: dict[str, Tensor] = {}
    config: dict[str, Any] = {}
    for part, changes in layers.items():
        in_files = {_in_files(part, path): change for path, change in changes.items()}
        tensors |= _peft_tensors(in_files, prefix=f"{part}.")
        config |= {f"{part}.{key}": value for key, value in peft_config(in_files).items()}
    return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(config, sort_keys=True)}


def to_peft(changes: Mapping[str, LowRank]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """One network's changes as a PEFT folder holds them: `adapter_model.safetensors` and `adapter_config.json`."""
    return _peft_tensors(changes, prefix="base_model.model."), peft_config(changes)


def peft_config(changes: Mapping[str, LowRank]) -> dict[str, Any]:
    """PEFT's LoraConfig for these changes: the most frequent rank and alpha, and a pattern for each layer that differs."""
    rank = _most_frequent({path: change.rank for path, change in changes.items()})
    alpha = _most_frequent({path: change.alpha for path, change in changes.items()})
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {path: change.rank for path, change in changes.items() if change.rank != rank},
        "alpha_pattern": {path: change.alpha for path, change in changes.items() if change.alpha != alpha},
        "target_modules": sorted(changes),
        "bias": "none",
        "lora_dropout": 0.0,
        "use_rslora": False,
        "use_dora": False,
    }


def _peft_tensors(changes: Mapping[str, LowRank], prefix: str) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for path, change in changes.items():
        tensors[f"{prefix}{path}.lora_A.weight"] = change.down.contiguous()
        tensors[f"{prefix}{path}.lora_B.weight"] = change.up.contiguous()
    return tensors


def _in_files(part: str, path: str) -> str:
    """The layer's path as files have it: text encoders' with `text_model`, which they may lack in memory."""
    return path if not part.startswith("text_encoder") or path.startswith(TEXT_MODEL) else TEXT_MODEL + path


def _most_frequent(values: Mapping[str, T]) -> T:
    if not values:
        raise ModelMismatch("there is no layer to write; a LoRA changes at least one")
    return Counter(values.values()).most_common(1)[0][0]
