"""Denoising networks as guiders call them, one adapter per kind of network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from graphflow.diffusion.text_sdxl import TIME_IDS

if TYPE_CHECKING:
    from graphflow.diffusion.controlnet import Residuals, Steering
    from graphflow.diffusion.guidance import BatchConditioning

CONCAT = "concat"
"""Extra conditioning: channels that stand beside the latents."""
VECTOR = "vector"
"""Extra conditioning: one vector for the whole picture."""


@dataclass(frozen=True, eq=False)
class UNetDenoiser:
    """A diffusers `UNet2DConditionModel` as a `guidance.Network`: called in its own precision and memory layout, answering in float32."""

    unet: Any  # diffusers is not typed
    steering: Steering | None = None
    """The opened ControlNets of the prompts; None where no prompt has any."""

    unordered_tokens: ClassVar[bool] = True
    """Its cross-attention takes the tokens of a prompt in any order and number; see `guidance.predict`."""

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        """Prediction for `[batch, channels, height, width]`, on the latents' device.

        Extra tensors are taken where the network has a place for them: `concat` `[batch, more channels, height, width]` by
        inpainting and depth UNets, `time_ids` `[batch, sizes]` (with `pooled`) by Stable Diffusion XL, `vector` `[batch, width]`
        by UNets that embed one. Raises ValueError for anything else than the network was made for.
        """
        tokens, extra, steered = conditioning.tokens, conditioning.extra, latents
        if CONCAT in extra:
            latents, extra = _beside(latents, extra)
        self._check(latents, tokens, extra)
        weight = self.unet.conv_in.weight
        added = self._sizes(conditioning.pooled, extra, weight)
        residuals = self._residuals(steered, timestep, conditioning, added)
        layout = torch.channels_last if _is_channels_last(weight) else torch.contiguous_format
        answer: Tensor = self.unet(
            latents.to(weight.device, weight.dtype, memory_format=layout),
            timestep.to(weight.device),
            encoder_hidden_states=tokens.to(weight.device, weight.dtype),
            class_labels=self._vector(extra, weight),
            added_cond_kwargs=added,
            down_block_additional_residuals=residuals and [part.to(weight) for part in residuals.down],
            mid_block_additional_residual=residuals and residuals.middle.to(weight),
            return_dict=False,
        )[0]
        return answer.to(latents.device, torch.float32, memory_format=torch.contiguous_format)

    def _residuals(
        self,
        latents: Tensor,
        timestep: Tensor,
        conditioning: BatchConditioning,
        added: dict[str, Tensor] | None,
    ) -> Residuals | None:
        """What ControlNets add. Raises ValueError if there are controls, but no ControlNet is open."""
        if not any(conditioning.controls):
            return None
        if self.steering is None:
            raise ValueError(
                "the prompts have ControlNets, which are not open; open the denoiser together with its prompts"
            )
        return self.steering.residuals(latents, timestep, conditioning, added=added)

    def _check(self, latents: Tensor, tokens: Tensor, extra: Mapping[str, Tensor]) -> None:
        config = self.unet.config
        if latents.shape[1] != config.in_channels:
            raise ValueError(
                f"latents of {latents.shape[1]} channels do not fit a denoiser that takes {config.in_channels}"
                + _beside_hint(config.in_channels - config.out_channels)
            )
        if tokens.shape[-1] != config.cross_attention_dim:
            raise ValueError(
                f"conditioning {tokens.shape[-1]} wide does not fit a denoiser that takes {config.cross_attention_dim}; "
                "encode the prompt with the text encoder of the same family"
            )
        places = {TIME_IDS: config.addition_embed_type == "text_time", VECTOR: config.class_embed_type == "projection"}
        taken = [name for name, is_there in places.items() if is_there]
        if strange := sorted(extra.keys() - set(taken)):
            raise ValueError(
                f"this denoiser takes {' and '.join(taken) or 'no'} extra conditioning, but was given {', '.join(strange)}"
            )

    def _vector(self, extra: Mapping[str, Tensor], weight: Tensor) -> Tensor | None:
        """The vector of a UNet that embeds one. Raises ValueError if it is missing or of another width."""
        config = self.unet.config
        if config.class_embed_type != "projection":
            return None
        width, vector = config.projection_class_embeddings_input_dim, extra.get(VECTOR)
        if vector is None or vector.shape[-1] != width:
            given = "none" if vector is None else f"one of {vector.shape[-1]}"
            raise ValueError(f"this denoiser takes a vector {width} wide, but the conditioning has {given}")
        return vector.to(weight.device, weight.dtype)

    def _sizes(self, pooled: Tensor | None, extra: Mapping[str, Tensor], weight: Tensor) -> dict[str, Tensor] | None:
        """Pooled text and sizes for a UNet that takes them. Raises ValueError if they are missing, or too many or few."""
        config = self.unet.config
        if config.addition_embed_type != "text_time":
            return None
        time_ids = extra.get(TIME_IDS)
        if pooled is None or time_ids is None:
            raise ValueError(
                "this denoiser takes the pooled text and the sizes of the picture, which the conditioning lacks; "
                "encode the prompt with the text encoders of the same family"
            )
        width = pooled.shape[-1] + time_ids.shape[-1] * config.addition_time_embed_dim
        if width != config.projection_class_embeddings_input_dim:
            raise ValueError(
                f"pooled text {pooled.shape[-1]} wide and {time_ids.shape[-1]} sizes do not fit this denoiser, which takes "
                f"{config.projection_class_embeddings_input_dim} numbers at {config.addition_time_embed_dim} a size; the base of "
                "Stable Diffusion XL takes 6 sizes, its refiner 5: encode the prompt for the one that samples"
            )
        # Sizes stay in float32: bfloat16 cannot hold 1023.
        return {
            "text_embeds": pooled.to(weight.device, weight.dtype),
            "time_ids": time_ids.to(weight.device, torch.float32),
        }


def _beside_hint(more: int) -> str:
    """What to do about channels beside the latents, of which the denoiser takes so many."""
    if more == 0:
        return "; with a model that was not made for inpainting or depth, use a noise mask or a ControlNet"
    node = "depth_conditioning" if more == 1 else "inpaint_conditioning"
    return f", {more} of them beside the latents (`{CONCAT}`), as {node} adds to a prompt"


def _beside(latents: Tensor, extra: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Latents with the channels that stand beside them, and the rest of the extra tensors. Raises ValueError for other sizes."""
    channels = extra[CONCAT]
    if channels.ndim != 4 or channels.shape[-2:] != latents.shape[-2:]:
        raise ValueError(
            f"channels of {list(channels.shape)} cannot stand beside latents of {list(latents.shape)}; their sides must be the same"
        )
    joined = torch.cat([latents, channels.to(latents)], dim=1)
    return joined, {name: tensor for name, tensor in extra.items() if name != CONCAT}


def _is_channels_last(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
