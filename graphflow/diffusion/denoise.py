"""Denoising networks as guiders call them, one adapter per kind of network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class UNetDenoiser:
    """A diffusers `UNet2DConditionModel` as a `guidance.Network`: called in its own precision and memory layout, answering in float32."""

    unet: Any  # diffusers is not typed

    def __call__(
        self, latents: Tensor, timestep: Tensor, *, tokens: Tensor, pooled: Tensor | None, extra: dict[str, Tensor]
    ) -> Tensor:
        """Prediction for `[batch, channels, height, width]`, on the latents' device.

        Raises ValueError for latents or tokens that the network was not made for, and for extra tensors, which it does not take.
        """
        self._check(latents, tokens, extra)
        weight = self.unet.conv_in.weight
        layout = torch.channels_last if _is_channels_last(weight) else torch.contiguous_format
        answer: Tensor = self.unet(
            latents.to(weight.device, weight.dtype, memory_format=layout),
            timestep.to(weight.device),
            encoder_hidden_states=tokens.to(weight.device, weight.dtype),
            return_dict=False,
        )[0]
        return answer.to(latents.device, torch.float32, memory_format=torch.contiguous_format)

    def _check(self, latents: Tensor, tokens: Tensor, extra: dict[str, Tensor]) -> None:
        config = self.unet.config
        if latents.shape[1] != config.in_channels:
            raise ValueError(
                f"latents of {latents.shape[1]} channels do not fit a denoiser that takes {config.in_channels}"
            )
        if tokens.shape[-1] != config.cross_attention_dim:
            raise ValueError(
                f"conditioning {tokens.shape[-1]} wide does not fit a denoiser that takes {config.cross_attention_dim}; "
                "encode the prompt with the text encoder of the same family"
            )
        if extra:
            raise ValueError(f"this denoiser takes no extra conditioning, but was given {', '.join(sorted(extra))}")


def _is_channels_last(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
