"""Networks with a part switched off during their own calls only, for guidance away from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from graphflow.diffusion.denoise import UNetDenoiser
from graphflow.ports.control import Control


class IdentityAttention:
    """Attention processor of diffusers in which every pixel looks at itself alone (Ahn et al., arXiv 2403.17377, section 4.2)."""

    def __call__(self, attention: Any, hidden_states: Tensor, *unused: Any, **ignored: Any) -> Tensor:
        """The attention block's answer `[batch, tokens, channels]`, or `[batch, channels, height, width]` as it was given."""
        residual, given = hidden_states, hidden_states.shape
        if attention.spatial_norm is not None:
            hidden_states = attention.spatial_norm(hidden_states, ignored.get("temb"))
        if len(given) == 4:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)
        if attention.group_norm is not None:
            hidden_states = attention.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        answer: Tensor = attention.to_out[1](attention.to_out[0](attention.to_v(hidden_states)))
        if len(given) == 4:
            answer = answer.transpose(1, 2).reshape(given)
        if attention.residual_connection:
            answer = answer + residual
        factor: float = attention.rescale_output_factor
        return answer / factor


@dataclass(frozen=True, eq=False)
class PerturbedAttention:
    """A UNet without the maps of its self-attention, as a `guidance.Network`; the UNet is as before after each call."""

    denoiser: UNetDenoiser
    layers: tuple[str, ...] = ("mid_block",)
    """Beginnings of the names of modules in which self-attention is switched off."""

    def __post_init__(self) -> None:
        if not self._chosen():
            raise ValueError(
                f"this denoiser has no self-attention in {', '.join(self.layers) or 'no layer'}; it has some in "
                f"{', '.join(sorted({_place(name) for name in _self_attention(self.denoiser.unet)})) or 'no layer'}"
            )

    def __call__(
        self,
        latents: Tensor,
        timestep: Tensor,
        *,
        tokens: Tensor,
        pooled: Tensor | None,
        extra: dict[str, Tensor],
        controls: Sequence[tuple[Control, ...]] = (),
    ) -> Tensor:
        """The weakened prediction, float32, of the latents' shape."""
        with self._switched_off():
            return self.denoiser(latents, timestep, tokens=tokens, pooled=pooled, extra=extra, controls=controls)

    def _chosen(self) -> list[Any]:
        found = _self_attention(self.denoiser.unet)
        return [module for name, module in found.items() if name.startswith(self.layers)]

    @contextmanager
    def _switched_off(self) -> Iterator[None]:
        before = [(module, module.processor) for module in self._chosen()]
        try:
            for module, _ in before:
                module.processor = IdentityAttention()
            yield
        finally:
            for module, processor in before:
                module.processor = processor


def _self_attention(unet: Any) -> dict[str, Any]:
    """Self-attention modules of a UNet by name."""
    return {name: module for name, module in unet.named_modules() if name.endswith("attn1")}


def _place(name: str) -> str:
    """`down_blocks.0.attentions.1...` -> `down_blocks.0`."""
    parts = name.split(".")
    return ".".join(parts[:2] if len(parts) > 1 and parts[1].isdigit() else parts[:1])
