"""What a LoRA adds to a weight: from the tensors of a file to one difference in float32.

LoRA   (alpha / rank) * up @ down                              Hu et al., arXiv 2106.09685
LoCon  the same on convolutions; with `mid`, a Tucker core     Yeh et al., arXiv 2309.14859
LoHa   (alpha / rank) * (w1_a @ w1_b) * (w2_a @ w2_b)          Hyeon-Woo et al., arXiv 2108.06098
LoKr   (alpha / rank) * kron(w1, w2)                           Yeh et al., arXiv 2309.14859
DoRA   magnitude * (W + delta) / |W + delta| - W               Liu et al., arXiv 2402.09353
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from graphflow.models.lora.adapter import LoraLayer

Tensors = Mapping[str, Tensor]
"""Tensors of one layer's change by slot, float32."""


def weight_delta(layer: LoraLayer, tensors: Tensors, weight: Tensor) -> Tensor | None:
    """What the layer's weight `[out, ...]` gains at strength 1, in its shape; None if only the bias changes.

    Raises ValueError if the tensors do not fit each other or the weight.
    """
    product = unscaled_delta(tensors)
    if product is None:
        return None
    if not same_size(tuple(product.shape), tuple(weight.shape)):
        raise ValueError(f"a change of {list(product.shape)} for a weight of {list(weight.shape)}")
    delta = product.reshape(weight.shape) * _scale(layer, tensors)
    magnitude = tensors.get("dora_scale", tensors.get("magnitude"))
    return delta if magnitude is None else _decomposed(delta, weight, magnitude, is_peft="magnitude" in tensors)


def bias_delta(layer: LoraLayer, tensors: Tensors, bias: Tensor) -> Tensor | None:
    """What the layer's bias `[out]` gains at strength 1; None if it stays. Raises ValueError if the sizes differ."""
    delta = tensors.get("diff_b")
    if "up_bias" in tensors:
        scaled = tensors["up_bias"] * _scale(layer, tensors)
        delta = scaled if delta is None else delta + scaled
    if delta is not None and delta.shape != bias.shape:
        raise ValueError(f"a change of {list(delta.shape)} for a bias of {list(bias.shape)}")
    return delta


def unscaled_delta(tensors: Tensors) -> Tensor | None:
    """The product of the factors without alpha, `[out, in]` or `[out, in, height, width]`; None without factors.

    Raises ValueError if the factors do not fit each other.
    """
    try:
        if "down" in tensors:
            return _lora(tensors)
        if "hada_w1_a" in tensors:
            return _loha(tensors)
        if "lokr_w1" in tensors or "lokr_w1_a" in tensors:
            return _lokr(tensors)
        if "embedding_down" in tensors:
            return (tensors["embedding_up"] @ tensors["embedding_down"]).T
        return tensors.get("diff")
    except (RuntimeError, IndexError) as error:
        shapes = ", ".join(f"{slot} {list(tensor.shape)}" for slot, tensor in tensors.items())
        raise ValueError(f"factors that do not fit each other: {shapes}") from error


_BY_ROWS = {"down", "up", "alpha"}


def is_by_rows(tensors: Tensors, height: int) -> bool:
    """Whether each row of the change, one for each of a weight's outputs, can be had without the others: that of a plain LoRA."""
    return tensors.keys() <= _BY_ROWS and "up" in tensors and tensors["up"].shape[0] == height


def rows_of(tensors: Tensors, rows: slice) -> Tensors:
    """The tensors that change these rows of a weight."""
    return {slot: tensor[rows] if slot == "up" else tensor for slot, tensor in tensors.items()}


def same_size(shape: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Whether a change of this shape can be a change of the weight: same outputs, same number of elements."""
    return bool(shape) and shape[0] == weight[0] and math.prod(shape) == math.prod(weight)


def _scale(layer: LoraLayer, tensors: Tensors) -> float:
    """alpha / rank, or alpha / sqrt(rank) where the file says so; 1 where nothing tells a rank."""
    rank = _rank(tensors)
    if rank is None and "lokr_w1" in tensors and "alpha" not in tensors:
        rank = layer.rank  # LyCORIS leaves whole factors unscaled, PEFT scales them
    alpha = float(tensors["alpha"]) if "alpha" in tensors else layer.alpha
    if rank is None or alpha is None:
        return 1.0 if rank is None or not layer.rank_stabilized else math.sqrt(rank)
    return alpha / (math.sqrt(rank) if layer.rank_stabilized else rank)


def _rank(tensors: Tensors) -> int | None:
    for slot in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b", "embedding_down"):
        if slot in tensors:
            return tensors[slot].shape[0]
    return None


def _lora(tensors: Tensors) -> Tensor:
    down, up = tensors["down"], tensors["up"].flatten(1)
    if "mid" in tensors:
        return _tucker(tensors["mid"], up.T, down.flatten(1))
    return (up @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])


def _loha(tensors: Tensors) -> Tensor:
    halves = []
    for number in (1, 2):
        left, right = tensors[f"hada_w{number}_a"], tensors[f"hada_w{number}_b"]
        core = tensors.get(f"hada_t{number}")
        halves.append(left @ right if core is None else _tucker(core, left, right))
    return halves[0] * halves[1]


def _lokr(tensors: Tensors) -> Tensor:
    first, second = (tensors.get(f"lokr_w{number}") for number in (1, 2))
    if first is None:
        first = tensors["lokr_w1_a"] @ tensors["lokr_w1_b"]
    if second is None:
        left, right = tensors["lokr_w2_a"], tensors["lokr_w2_b"]
        second = _tucker(tensors["lokr_t2"], left, right) if "lokr_t2" in tensors else left @ right
    return torch.kron(first.reshape(*first.shape, *(1,) * (second.ndim - first.ndim)), second)


def _tucker(core: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Core `[rank, rank, ...]` with `left` `[rank, out]` and `right` `[rank, in]` on its first two sides: `[out, in, ...]`."""
    return torch.einsum("ij...,io,jn->on...", core, left, right)


def _decomposed(delta: Tensor, weight: Tensor, magnitude: Tensor, *, is_peft: bool) -> Tensor:
    """The change that DoRA makes: direction from `weight + delta`, length from `magnitude`.

    Lengths belong to outputs, `[out, 1]`; LyCORIS has an older form per input, `[1, in]`.
    """
    base = weight.float()
    changed = base + delta
    per_input = not is_peft and magnitude.ndim > 1 and magnitude.shape[0] == 1 and magnitude.shape[1] == weight.shape[1]
    kept = 1 if per_input and weight.shape[0] != 1 else 0
    if magnitude.numel() != weight.shape[kept]:
        raise ValueError(f"lengths {list(magnitude.shape)} for a weight of {list(weight.shape)}")
    others = [side for side in range(weight.ndim) if side != kept]
    length = torch.linalg.vector_norm(changed, dim=others, keepdim=True)
    wanted = magnitude.reshape(length.shape)
    decomposed: Tensor = changed * (wanted / length.clamp_min(torch.finfo(torch.float32).tiny))
    return decomposed - base
