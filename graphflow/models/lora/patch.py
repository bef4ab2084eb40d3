"""Applies LoRAs to a network: all at once, one difference per weight, rounded once.

Only the weights that are touched are set aside and put back, so switching costs as much as the layers that the adapters change, and no more. The
strength is constant while a network is handed out; where it follows the noise schedule, the sampler switches between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.lora.adapter import LoraFile, LoraLayer, read_lora
from graphflow.models.lora.delta import Tensors, bias_delta, is_by_rows, rows_of, weight_delta
from graphflow.models.lora.targets import find_targets
from graphflow.models.packing import dense
from graphflow.models.patches import PATCHES, PatchFiles, Undo, replace_weights
from graphflow.models.weights import WeightReader
from graphflow.ports.model import LoraPatch

_BLOCK = 2**18
"""Elements of a weight that are changed at once on a CPU: few enough to stay in its caches, which halves the time."""


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
        return replace_weights(module, _changed_weights(module, by_path, reader))


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


def _changed_weights(
    module: nn.Module, by_path: dict[str, list[_Change]], reader: WeightReader
) -> Iterator[tuple[str, Tensor]]:
    """Each weight and bias with the sum of its changes, one at a time, in its own type and place."""
    for path, changes in by_path.items():
        layer = module.get_submodule(path)
        weight, bias = dense(layer.get_parameter("weight").data), getattr(layer, "bias", None)
        read = [(change, _read(change, reader, weight.device)) for change in changes]
        if (changed := _changed_weight(weight, read)) is not None:
            yield f"{path}.weight", changed
        if bias is not None and (total := _sum(bias_delta, read, bias)) is not None:
            yield f"{path}.bias", (bias.data + total).to(bias.dtype)


_Read = Sequence[tuple[_Change, Tensors]]
"""The changes of one layer with their tensors."""


def _changed_weight(weight: Tensor, read: _Read) -> Tensor | None:
    """The weight with all changes, summed in float32; None where only the bias changes."""
    changed = torch.empty_like(weight)
    for rows in _blocks(weight, read):
        part = weight[rows]
        total = _sum(weight_delta, [(change, rows_of(tensors, rows)) for change, tensors in read], part)
        if total is None:
            return None
        changed[rows] = total.add_(part)
    return changed


def _blocks(weight: Tensor, read: _Read) -> list[slice]:
    """Rows to change at once: all of them on a GPU, and where a change of some rows depends on the others."""
    height = weight.shape[0]
    if weight.device.type != "cpu" or not all(is_by_rows(tensors, height) for _, tensors in read):
        return [slice(None)]
    rows = max(1, _BLOCK * height // weight.numel())
    return [slice(start, start + rows) for start in range(0, height, rows)]


def _sum(delta_of: Callable[[LoraLayer, Tensors, Tensor], Tensor | None], read: _Read, weight: Tensor) -> Tensor | None:
    """The sum of strength x delta in float32; None where nothing changes. Raises ModelMismatch if a change does not fit."""
    total: Tensor | None = None
    for change, tensors in read:
        try:
            delta = delta_of(change.layer, tensors, weight)
        except ValueError as error:
            raise ModelMismatch(f"{change.lora.path}: {change.layer.keys[0]}: {error}") from error
        if delta is not None:
            scaled = delta * change.strength
            total = scaled if total is None else total.add_(scaled)
    return total


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
