"""Names of OpenCLIP text encoders as Stable Diffusion 2 and XL store them, against those that transformers has in memory.

OpenCLIP keeps queries, keys and values in one tensor, and its projection the other way round:

    transformer.resblocks.0.attn.in_proj_weight [3w, w]   encoder.layers.0.self_attn.{q,k,v}_proj.weight [w, w] each
    text_projection [w, p]                                text_projection.weight [p, w]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from graphflow.models.headers import TensorHeader

FUSED = ("q_proj", "k_proj", "v_proj")
"""Order of the rows in the fused tensor."""

MARK = "transformer.resblocks.0.attn.in_proj_weight"
"""A key that every OpenCLIP text encoder has."""

PROJECTION = "text_projection.weight"
"""Transformers' name of the projection, which OpenCLIP stores the other way round."""
_ORIGINAL_PROJECTION = "text_projection"
_IGNORED = ("logit_scale", "attn_mask")
_ENDS = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_IN_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")
_FUSED_NAME = re.compile(r"attn\.in_proj_(weight|bias)")


def transformers_tensors(tensors: Mapping[str, TensorHeader]) -> tuple[dict[str, TensorHeader], tuple[str, ...]]:
    """Tensors of an OpenCLIP text encoder under transformers' names without `text_model.`, and the names that have no place.

    A third of a fused tensor, and a transposed one, are headers that say so; what training left (the logit scale, the mask) is
    dropped.
    """
    named: dict[str, TensorHeader] = {}
    unknown: list[str] = []
    for name, tensor in tensors.items():
        if name in _IGNORED:
            continue
        if (found := _transformers_names(name, tensor)) is None:
            unknown.append(name)
        else:
            named |= found
    return named, tuple(unknown)


def _transformers_names(name: str, tensor: TensorHeader) -> dict[str, TensorHeader] | None:
    """Where a tensor goes in memory; None if it has no place."""
    if name in _ENDS:
        return {_ENDS[name]: tensor}
    if name == _ORIGINAL_PROJECTION and len(tensor.shape) == 2:
        return {PROJECTION: replace(tensor, shape=tensor.shape[::-1], transposed=True)}
    if (layer := _LAYER.fullmatch(name)) is None:
        return None
    number, inner = layer.groups()
    if fused := _FUSED_NAME.fullmatch(inner):
        return _thirds(f"encoder.layers.{number}.self_attn", fused[1], tensor)
    module, _, leaf = inner.rpartition(".")
    return {f"encoder.layers.{number}.{_IN_LAYER[module]}.{leaf}": tensor} if module in _IN_LAYER else None


def _thirds(module: str, leaf: str, tensor: TensorHeader) -> dict[str, TensorHeader] | None:
    rows, left = divmod(tensor.shape[0], len(FUSED)) if tensor.shape else (0, 1)
    if left:
        return None
    return {
        f"{module}.{projection}.{leaf}": replace(
            tensor, shape=(rows, *tensor.shape[1:]), rows=(place * rows, (place + 1) * rows)
        )
        for place, projection in enumerate(FUSED)
    }


def original_name(name: str) -> str | None:
    """OpenCLIP's name of a transformers name without `text_model.`; None where it has none.

    All of `q_proj`, `k_proj` and `v_proj` go into the one fused tensor whose name is returned.
    """
    if name == PROJECTION:
        return _ORIGINAL_PROJECTION
    for original, other in _ENDS.items():
        if name == other:
            return original
    if (layer := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)) is None:
        return None
    number, module, leaf = layer.groups()
    if module in {f"self_attn.{projection}" for projection in FUSED}:
        return f"transformer.resblocks.{number}.attn.in_proj_{leaf}"
    inner = next((original for original, other in _IN_LAYER.items() if other == module), None)
    return f"transformer.resblocks.{number}.{inner}.{leaf}" if inner else None
