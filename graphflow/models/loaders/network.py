"""From a described part to a network with weights: built without memory, filled tensor by tensor from the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.description import ModelDescription, PartDescription
from graphflow.models.detectors import rrdbnet as upscalers, spandrel as other_upscalers
from graphflow.models.detectors.families import DIFFUSION_FAMILIES
from graphflow.models.finite import broken_names, extremes
from graphflow.models.headers import TensorHeader
from graphflow.models.loaders import rrdbnet, stable_diffusion
from graphflow.models.packing import make_packable, packed
from graphflow.models.weights import WeightReader

_SHOWN = 10


class FamilyLoader(NamedTuple):
    """What differs between families."""

    build: Callable[[str, Mapping[str, Any]], nn.Module]
    """The network of a part by its configuration."""
    fill_buffers: Callable[[str, nn.Module], None]
    """Makes the buffers that no file holds."""


LOADERS = {
    **{
        family.name: FamilyLoader(stable_diffusion.build, stable_diffusion.fill_buffers)
        for family in DIFFUSION_FAMILIES
    },
    upscalers.FAMILY: FamilyLoader(rrdbnet.build, rrdbnet.fill_buffers),
}
"""Loaders by family."""


def load_part(
    description: ModelDescription,
    part: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    channels_last: bool = False,
) -> nn.Module:
    """A part's network with its weights, in eval mode, without gradients.

    Weights come one at a time from the memory-mapped file and are converted on the way, so no second copy of the model exists;
    on a CPU, weights that need no conversion stay mapped. Raises ModelMismatch listing missing, left over and misshapen tensors,
    ModelError listing those that are not finite.
    """
    described = part_of(description, part)
    if description.family == other_upscalers.FAMILY:
        return _through_spandrel(description, part, dtype=dtype, device=device)
    network = build_network(description.family, part, described.config)
    sources = _matched(description, part, described, network)
    packable = make_packable(network, dtype=dtype, device=device)
    weights: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    with WeightReader() as reader:
        for name, (source, wanted) in sources.items():
            mapped = reader.read(source)
            placed = _placed(mapped, wanted, dtype=dtype, device=device)
            found[name] = extremes(placed)
            if is_converted := placed.data_ptr() != mapped.data_ptr():
                reader.release(source)
            ordered = placed.to_mkldnn() if name in packable else _ordered(placed, channels_last=channels_last)
            del placed  # a large one would be in memory three times while it is packed
            if ordered.is_mkldnn:
                ordered = packed(ordered)
            if not is_converted and (ordered.is_mkldnn or ordered.data_ptr() != mapped.data_ptr()):
                reader.release(source)
            weights[name] = ordered
    if broken := broken_names(found):
        raise _not_finite(description, part, broken, dtype=dtype)
    network.load_state_dict(weights, strict=True, assign=True)
    with torch.device("cpu"):
        LOADERS[description.family].fill_buffers(part, network)
    return network.to(device).eval().requires_grad_(False)


def _through_spandrel(
    description: ModelDescription, part: str, *, dtype: torch.dtype, device: torch.device
) -> nn.Module:
    """An upscaler that spandrel builds from the weights themselves."""
    from graphflow.models.loaders.spandrel import read_upscaler

    tensors = description.parts[part].tensors
    with WeightReader() as reader:
        if broken := broken_names({name: extremes(reader.read(tensor)) for name, tensor in tensors.items()}):
            raise _not_finite(description, part, broken, dtype=dtype)
    upscaler = read_upscaler(tensors)
    if upscaler is None:
        raise ModelMismatch(f"{description.path} has changed while it was loaded; run again")
    return upscaler.in_precision(dtype).to(device).eval().requires_grad_(False)


def part_of(description: ModelDescription, part: str) -> PartDescription:
    """The described part. Raises ModelMismatch if the file does not hold it."""
    if part not in description.parts:
        raise ModelMismatch(f"{description.path} holds no {part}; it holds {', '.join(sorted(description.parts))}")
    return description.parts[part]


def build_network(family: str, part: str, config: Mapping[str, Any]) -> nn.Module:
    """The network of a part without memory for its weights (torch's meta device). Raises ModelMismatch for a wrong configuration."""
    try:
        with torch.device("meta"):
            return LOADERS[family].build(part, config).requires_grad_(False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ModelMismatch(f"no {family} {part} can be built from its configuration: {error}") from error


def _matched(
    description: ModelDescription, part: str, described: PartDescription, network: nn.Module
) -> dict[str, tuple[TensorHeader, Tensor]]:
    """For each weight of the network its place in the file. Raises ModelMismatch."""
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in described.tensors]
    left_over = [name for name in described.tensors if name not in wanted] + list(described.unknown)
    misshapen = [
        f"{name} {list(tensor.shape)} instead of {list(wanted[name].shape)}"
        for name, tensor in described.tensors.items()
        if name in wanted and not _fits(tensor.shape, tuple(wanted[name].shape))
    ]
    problems = [
        _listed("missing", missing),
        _listed("not of this network", left_over),
        _listed("of the wrong shape", misshapen),
    ]
    if any(problems):
        raise ModelMismatch(
            f"the weights in {description.path} do not fit its {part} ({description.family}, {description.layout} layout): "
            + "; ".join(problem for problem in problems if problem)
        )
    return {name: (described.tensors[name], tensor) for name, tensor in wanted.items()}


def _listed(title: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {title}: {', '.join(names[:_SHOWN])}{more}"


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Same shape, or a linear layer that the file has as a 1x1 convolution, or the other way round."""
    return shape == wanted or _core(shape) == _core(wanted) != ()


def _core(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 2:
        return shape
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else ()


def _placed(tensor: Tensor, wanted: Tensor, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tensor in the network's shape, type and place; integers keep their type."""
    if tensor.shape != wanted.shape:
        tensor = tensor.reshape(wanted.shape)
    return tensor.to(device=device, dtype=dtype if wanted.is_floating_point() else wanted.dtype)


def _ordered(tensor: Tensor, *, channels_last: bool) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if channels_last and tensor.ndim == 4 else tensor


def _not_finite(description: ModelDescription, part: str, names: list[str], *, dtype: torch.dtype) -> ModelError:
    """What to say of weights that hold NaN or infinity: whether the file has them, or only the precision."""
    headers = description.parts[part].tensors
    with WeightReader() as reader:
        in_file = broken_names({headers[name].name: extremes(reader.read(headers[name]).float()) for name in names})
    if in_file:
        return ModelError(
            f"{description.path} is damaged: the weights of its {part} hold numbers that are not finite (NaN or infinity), "
            f"{_listed('of them', in_file)}; fetch it again"
        )
    return ModelError(
        f"the {part} of {description.path} does not fit into {str(dtype).removeprefix('torch.')}: some weights are larger "
        f"than its largest number, {_listed('of them', names)}; choose the precision bf16 or fp32"
    )
