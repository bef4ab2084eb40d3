"""Which code computes attention, and projections that are multiplied as one: patches on the attention layers of a denoiser.

The UNets of diffusers call torch's attention themselves, past diffusers' dispatcher of backends. `ChosenAttention` calls the dispatcher
instead, and is otherwise equal to what it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, attention_backend, dispatch_attention_fn
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.patches import PATCHES, PatchFiles, Undo
from graphflow.ports.speed import AttentionBackend, AttentionPatch, FusionPatch


class _Library(NamedTuple):
    """What a backend needs."""

    install: str
    """What to do to have it."""
    largest_head: int | None
    """Channels of a head; None for any number."""
    needs_half: bool
    """Whether it computes in bf16 and fp16 only."""


_LIBRARIES: dict[AttentionBackend, _Library] = {
    "flash": _Library('install it with: pip install "graphflow[cuda]"', 256, needs_half=True),
    "xformers": _Library('install it with: pip install "graphflow[cuda]"', None, needs_half=False),
    "sage": _Library("install sageattention 2.1.1 or newer as its authors describe", 128, needs_half=True),
}
_NAMES: dict[AttentionBackend, AttentionBackendName] = {
    "sdpa": AttentionBackendName.NATIVE,
    "flash": AttentionBackendName.FLASH,
    "xformers": AttentionBackendName.XFORMERS,
    "sage": AttentionBackendName.SAGE,
}


@dataclass(frozen=True, eq=False)
class ChosenAttention:
    """Attention processor of diffusers for self- and cross-attention, with a backend of its dispatcher."""

    backend: AttentionBackendName = AttentionBackendName.NATIVE
    joint: tuple[Tensor, Tensor | None] | None = None
    """Weight and bias that make several projections at once: all three in self-attention, keys and values in cross-attention."""

    def __call__(
        self,
        attention: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """The attention block's answer `[batch, tokens, channels]`, or `[batch, channels, height, width]` as it was given."""
        residual, given = hidden_states, hidden_states.shape
        if attention.spatial_norm is not None:
            hidden_states = attention.spatial_norm(hidden_states, temb)
        if len(given) == 4:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)
        batch = hidden_states.shape[0]
        if attention_mask is not None:
            seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
            attention_mask = attention.prepare_attention_mask(attention_mask, seen.shape[1], batch)
            attention_mask = attention_mask.view(batch, attention.heads, -1, attention_mask.shape[-1])
        if attention.group_norm is not None:
            hidden_states = attention.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        query, key, value = (
            projected.reshape(batch, -1, attention.heads, projected.shape[-1] // attention.heads)
            for projected in self._projected(attention, hidden_states, encoder_hidden_states)
        )
        if attention.norm_q is not None:
            query = attention.norm_q(query)
        if attention.norm_k is not None:
            key = attention.norm_k(key)
        answer: Tensor = dispatch_attention_fn(query, key, value, attn_mask=attention_mask, backend=self.backend)
        answer = attention.to_out[1](attention.to_out[0](answer.flatten(2).to(query.dtype)))
        if len(given) == 4:
            answer = answer.transpose(-1, -2).reshape(given)
        if attention.residual_connection:
            answer = answer + residual
        factor: float = attention.rescale_output_factor
        return answer / factor

    def _projected(self, attention: Any, hidden_states: Tensor, seen: Tensor | None) -> Sequence[Tensor]:
        """Queries, keys and values, each `[batch, tokens, channels]`."""
        if seen is not None and attention.norm_cross:
            seen = attention.norm_encoder_hidden_states(seen)
        if self.joint is not None and attention.is_cross_attention == (seen is not None):
            weight, bias = self.joint
            if seen is None:
                return nn.functional.linear(hidden_states, weight, bias).chunk(3, dim=-1)
            return attention.to_q(hidden_states), *nn.functional.linear(seen, weight, bias).chunk(2, dim=-1)
        seen = hidden_states if seen is None else seen
        return attention.to_q(hidden_states), attention.to_k(seen), attention.to_v(seen)


@PATCHES.applier(AttentionPatch)
def apply_attention(module: nn.Module, patch: AttentionPatch, files: PatchFiles) -> Undo:
    """Have every attention layer computed by the patch's backend.

    Raises ModelError if the backend is not installed, or does not know the device, the precision or the size of a head.
    """
    layers = _layers(module)
    dispatched = [layer.processor for layer in module.modules() if _is_dispatched(layer)]
    if not layers and not dispatched:
        raise ModelMismatch(f"{type(module).__name__} has no attention layer whose backend can be chosen")
    if patch.backend != "sdpa":
        weight = next(module.parameters())
        heads = [int(layer.inner_dim) // int(layer.heads) for layer in layers]
        if problem := unsuited(patch.backend, device=weight.device.type, dtype=weight.dtype, heads=heads):
            raise ModelError(problem)
        require_installed(patch.backend)
    name = _NAMES[patch.backend]
    with ExitStack() as undos:
        for layer in layers:
            undos.callback(_replaced(layer, "processor", replace(_chosen(layer), backend=name)))
        for processor in dispatched:
            undos.callback(_replaced(processor, "_attention_backend", name))
        return undos.pop_all().close


@PATCHES.applier(FusionPatch, last=True)
def apply_fusion(module: nn.Module, patch: FusionPatch, files: PatchFiles) -> Undo:
    """Multiply projections of the same tokens as one. The layers' own weights become rows of the joint ones, so none is held twice.

    It comes after the patches that change weights. Layers whose projections are no plain linear layers stay as they are.
    """
    with ExitStack() as undos:
        for layer in _layers(module):
            projections = [layer.to_k, layer.to_v] if layer.is_cross_attention else [layer.to_q, layer.to_k, layer.to_v]
            if _can_join(projections):
                joint = _joined(projections)
                undos.callback(_replaced(layer, "processor", replace(_chosen(layer), joint=joint)))
        return undos.pop_all().close


def unsuited(
    backend: AttentionBackend, *, device: str, dtype: torch.dtype, heads: Iterable[int], advice: str = "use sdpa"
) -> str | None:
    """Why a backend cannot serve a network on this kind of device, with weights of this type and these channels per head; None if it can."""
    library = _LIBRARIES.get(backend)
    if library is None:
        return None
    if device != "cuda":
        return f'the attention backend "{backend}" runs on NVIDIA GPUs only, and the model is on: {device}; {advice}'
    if library.needs_half and dtype not in (torch.bfloat16, torch.float16):
        return (
            f'the attention backend "{backend}" computes in bf16 and fp16, and the model is in {str(dtype).removeprefix("torch.")}; '
            f"set its precision to bf16, or {advice}"
        )
    largest = max(heads, default=0)
    if library.largest_head is not None and largest > library.largest_head:
        return (
            f'the attention backend "{backend}" takes heads of at most {library.largest_head} channels, '
            f"and the model has some of {largest}; {advice}"
        )
    return None


def require_installed(backend: AttentionBackend) -> None:
    """Raises ModelError, saying what to install, if a backend's library is missing or too old."""
    try:
        with attention_backend(_NAMES[backend]):
            return
    except RuntimeError as error:
        raise ModelError(
            f'the attention backend "{backend}" is not installed here, or too old; {_LIBRARIES[backend].install}, or use sdpa'
        ) from error


def _layers(module: nn.Module) -> list[Any]:
    """Attention layers whose processor is the usual one, in whose place another can stand."""
    return [
        layer
        for layer in module.modules()
        if isinstance(layer, Attention) and isinstance(layer.processor, AttnProcessor2_0 | ChosenAttention)
    ]


def _is_dispatched(layer: nn.Module) -> bool:
    """Whether a layer asks the dispatcher by itself, as those of diffusers' transformers do."""
    return hasattr(getattr(layer, "processor", None), "_attention_backend")


def _chosen(layer: Any) -> ChosenAttention:
    processor = layer.processor
    return processor if isinstance(processor, ChosenAttention) else ChosenAttention()


def _replaced(owner: Any, name: str, value: object) -> Undo:
    before = getattr(owner, name)
    setattr(owner, name, value)
    return lambda: setattr(owner, name, before)


def _can_join(projections: Sequence[nn.Module]) -> bool:
    """Whether they are plain linear layers, all with a bias or all without."""
    are_linear = all(type(each) is nn.Linear for each in projections)
    return are_linear and len({each.bias is None for each in projections}) == 1


def _joined(projections: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """Their weights and biases below each other; the layers' own become views of them."""
    weight = torch.cat([each.weight.data for each in projections])
    sizes = [each.out_features for each in projections]
    for each, rows in zip(projections, torch.split(weight, sizes), strict=True):
        each.weight.data = rows
    biases = [each.bias.data for each in projections if each.bias is not None]
    return weight, torch.cat(biases) if biases else None
