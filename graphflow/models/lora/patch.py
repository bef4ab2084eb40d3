"""Applies LoRAs to a network: all at once, one difference per weight, rounded once.

Only the weights that are touched are set aside and put back, so switching costs as much as the adapters are large. The strength is constant while a
network is handed out; a strength that follows the sampler's steps can put other sums in place between two steps, from the same targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.lora.adapter import LoraFile, LoraLayer, read_lora
from graphflow.models.lora.delta import bias_delta, weight_delta
from graphflow.models.lora.targets import find_targets
from graphflow.models.patches import PATCHES, PatchFiles, Undo, add_to_weights
from graphflow.models.weights import WeightReader
from graphflow.ports.model import LoraPatch


class _Change(NamedTuple):
    """What one LoRA does to one layer."""

    lora: LoraFile
    layer: LoraLayer
    strength: float


@PATCHES.joint_applier(LoraPatch)
def apply_loras(module: nn.Module, patches: Sequence[LoraPatch], files: PatchFiles) -> Undo:
    """Add all LoRAs to the network's weights: W + sum of strength x delta, summed in float32 and rounded to W's type once.

    Each delta is taken against the untouched weight, so their order does not matter, DoRA included. Raises ModelMismatch naming the keys
    that do not apply, ModelError for numbers that are not finite; the network is as before then.
    """
    by_path = _changes(module, patches, files)
    with WeightReader() as reader:
        return add_to_weights(module, _sums(module, by_path, reader))


def _changes(module: nn.Module, patches: Sequence[LoraPatch], files: PatchFiles) -> dict[str, list[_Change]]:
    """What happens to each layer of the network, by its path."""
    shapes = {name: tuple(weight.shape) for name, weight in module.named_parameters()}
    by_path: dict[str, list[_Change]] = {}
    for patch in patches:
        if not patch.strength:
            continue
        lora = read_lora(files.path(patch.file, patch.fingerprint, "loras"))
        targets = find_targets(lora, patch.part, shapes=shapes, title=f"this model ({type(module).__name__})")
        if not targets:
            raise ModelMismatch(
                f'"{patch.file}" changes nothing in a {patch.part}; it holds changes of: {", ".join(lora.parts)}'
            )
        for target in targets:
            by_path.setdefault(target.path, []).append(_Change(lora, target.change, patch.strength))
    return by_path


def _sums(module: nn.Module, by_path: dict[str, list[_Change]], reader: WeightReader) -> Iterator[tuple[str, Tensor]]:
    """The sum of all changes of each weight and bias, one at a time, float32, where the weight is."""
    for path, changes in by_path.items():
        layer = module.get_submodule(path)
        weight, bias = layer.get_parameter("weight"), getattr(layer, "bias", None)
        weight_sum: Tensor | None = None
        bias_sum: Tensor | None = None
        for change in changes:
            tensors = _read(change, reader, weight.device)
            try:
                weight_sum = _added(weight_sum, weight_delta(change.layer, tensors, weight), change.strength)
                if bias is not None:
                    bias_sum = _added(bias_sum, bias_delta(change.layer, tensors, bias), change.strength)
            except ValueError as error:
                raise ModelMismatch(f"{change.lora.path}: {change.layer.keys[0]}: {error}") from error
        if weight_sum is not None:
            yield f"{path}.weight", weight_sum
        if bias_sum is not None:
            yield f"{path}.bias", bias_sum


def _added(total: Tensor | None, delta: Tensor | None, strength: float) -> Tensor | None:
    if delta is None:
        return total
    scaled = delta if strength == 1 else delta * strength
    return scaled if total is None else total + scaled


def _read(change: _Change, reader: WeightReader, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a change in float32 on the device. Raises ModelError for NaN and infinity."""
    tensors = {}
    for slot, header in change.layer.tensors.items():
        tensor = reader.read(header).to(device=device, dtype=torch.float32)
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f'{change.lora.path} is damaged: "{header.name}" holds numbers that are not finite (NaN or infinity); fetch it again'
            )
        tensors[slot] = tensor
    return tensors
