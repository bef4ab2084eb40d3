"""Networks with a part switched off during their own calls only, for guidance away from them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from graphflow.diffusion.guidance import BatchConditioning, Network


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


class SwitchableNetwork(Network, Protocol):
    """A network that shows the UNet within it, so that parts of that can be switched off."""

    @property
    def unet(self) -> Any:  # diffusers is not typed
        """The module that the calls go through."""


@dataclass(frozen=True, eq=False)
class WeakenedNetwork(ABC):
    """A UNet of which some layers are weakened, as a `guidance.Network`; the UNet is as before after each call, failed ones included."""

    network: SwitchableNetwork
    layers: tuple[str, ...] = ("mid_block",)
    """Beginnings of the names of the modules that are weakened."""

    KIND: ClassVar[str]
    """What is looked for in these modules."""

    def __post_init__(self) -> None:
        there = self.candidates()
        strange = [layer for layer in self.layers if not any(name.startswith(layer) for name in there)]
        if strange or not self.layers:
            raise ValueError(
                f"this denoiser has no {self.KIND} in {', '.join(strange) or 'no layer'}; it has some in "
                f"{', '.join(sorted({_place(name) for name in there})) or 'no layer'}"
            )

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        """The weakened prediction, float32, of the latents' shape."""
        chosen = [module for name, module in self.candidates().items() if name.startswith(self.layers)]
        with self.weakened(chosen):
            return self.network(latents, timestep, conditioning)

    @abstractmethod
    def candidates(self) -> dict[str, Any]:
        """Modules that can be weakened, by name."""

    @abstractmethod
    def weakened(self, modules: list[Any]) -> AbstractContextManager[None]:
        """Weakens the modules for the block."""


class PerturbedAttention(WeakenedNetwork):
    """A UNet without the maps of its self-attention (Ahn et al., arXiv 2403.17377)."""

    KIND = "self-attention"

    def candidates(self) -> dict[str, Any]:
        """Self-attention modules."""
        return {name: module for name, module in self.network.unet.named_modules() if name.endswith("attn1")}

    @contextmanager
    def weakened(self, modules: list[Any]) -> Iterator[None]:
        """Puts another processor into them."""
        before = [module.processor for module in modules]
        try:
            for module in modules:
                module.processor = IdentityAttention()
            yield
        finally:
            for module, processor in zip(modules, before, strict=True):
                module.processor = processor


class SkippedLayers(WeakenedNetwork):
    """A UNet whose transformer blocks let everything pass unchanged (Hyung et al., arXiv 2411.18664, section 3.2: residual skipping)."""

    KIND = "transformer block"

    def candidates(self) -> dict[str, Any]:
        """Transformer blocks."""
        return {name: module for name, module in self.network.unet.named_modules() if _BLOCK.search(name)}

    @contextmanager
    def weakened(self, modules: list[Any]) -> Iterator[None]:
        """Puts a function that returns its input before the method of their class."""
        before = [vars(module).get("forward") for module in modules]
        try:
            for module in modules:
                module.forward = _unchanged
            yield
        finally:
            for module, forward in zip(modules, before, strict=True):
                del module.forward
                if forward is not None:  # such as that of a hook
                    module.forward = forward


def _unchanged(hidden_states: Tensor, *unused: Any, **ignored: Any) -> Tensor:
    return hidden_states


_BLOCK = re.compile(r"transformer_blocks\.\d+$")


def _place(name: str) -> str:
    """`down_blocks.0.attentions.1...` -> `down_blocks.0`."""
    parts = name.split(".")
    return ".".join(parts[:2] if len(parts) > 1 and parts[1].isdigit() else parts[:1])
