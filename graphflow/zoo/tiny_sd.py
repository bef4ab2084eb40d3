"""The bundled tiny-sd, frozen, as what is trained on top of it sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from graphflow.zoo import MODELS

__all__ = ["TinySd"]


@dataclass(frozen=True)
class TinySd:
    """The three networks in single precision; no weight of theirs learns."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    @classmethod
    def load(cls, folder: Path = MODELS / "tiny-sd") -> TinySd:
        """Open a diffusers folder."""
        base = cls(
            vae=AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32),
            unet=UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32),
            text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
            tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        )
        for network in (base.vae, base.unet, base.text_encoder):
            network.eval().requires_grad_(False)
        # Going back through torch's fused attention takes a third of the step on CPUs in bfloat16.
        base.unet.set_attn_processor(base.plain_attention())
        base.text_encoder.set_attn_implementation("eager")
        base.unet.to(memory_format=torch.channels_last)
        return base

    @staticmethod
    def plain_attention() -> AttnProcessor:
        """Attention as matrix products."""
        return AttnProcessor()

    def encode(self, pictures: Tensor) -> Tensor:
        """Scaled latents [batch, 4, 16, 16] of pictures [batch, 3, 128, 128] in -1..1."""
        with torch.no_grad():
            latents: Tensor = self.vae.encode(pictures).latent_dist.mean * self.vae.config.scaling_factor
        return latents

    def tokens(self, captions: list[str]) -> Tensor:
        """Token ids [batch, tokens], padded to the model's length."""
        ids: Tensor = self.tokenizer(
            captions,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return ids

    def read(self, captions: list[str]) -> Tensor:
        """Text states [batch, tokens, width] of captions."""
        with torch.no_grad():
            states: Tensor = self.text_encoder(self.tokens(captions)).last_hidden_state
        return states
