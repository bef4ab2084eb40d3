"""Sizes of tiny-sd and how its three networks and its tokenizer are made: Stable Diffusion 1.5 in miniature."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from graphflow.zoo.scenes import SIDE

__all__ = ["PREDICTION", "Sizes", "TrainSettings", "make_text_encoder", "make_unet", "make_vae"]

LATENT_SIDE = SIDE // 8
PREDICTION = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "epsilon",
}
"""The noise schedule of Stable Diffusion 1.5, as diffusers names its parts."""


@dataclass(frozen=True)
class Sizes:
    """Widths and depths of the three networks."""

    vae_channels: tuple[int, ...] = (16, 32, 64, 64)
    unet_channels: tuple[int, ...] = (64, 96)
    unet_heads: int = 4
    text_width: int = 96
    text_layers: int = 3
    text_heads: int = 4
    tokens: int = 40


@dataclass(frozen=True)
class TrainSettings:
    """How a network is fitted; the learning rate follows the share of the time that is used up."""

    minutes: float = field(metadata={"help": "wall-clock budget of the stage"})
    batch: int = field(metadata={"help": "samples per worker and step"})
    learning_rate: float = field(metadata={"help": "highest rate, reached after the warm-up"})
    ema_decay: float = field(metadata={"help": "how much of the averaged weights stays at each step"})
    weight_decay: float = field(default=1e-4, metadata={"help": "AdamW weight decay"})
    warmup: float = field(default=0.02, metadata={"help": "share of the budget in which the rate rises"})


def make_vae(sizes: Sizes) -> AutoencoderKL:
    """The autoencoder: RGB [batch, 3, 128, 128] in -1..1 to latents [batch, 4, 16, 16] and back."""
    levels = len(sizes.vae_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=sizes.vae_channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIDE,
    )


def make_unet(sizes: Sizes) -> UNet2DConditionModel:
    """The denoiser: latents [batch, 4, 16, 16] and text states [batch, tokens, width] to predicted noise."""
    levels = len(sizes.unet_channels)
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        block_out_channels=sizes.unet_channels,
        layers_per_block=1,
        attention_head_dim=sizes.unet_heads,
        cross_attention_dim=sizes.text_width,
        norm_num_groups=16,
    )


def make_text_encoder(sizes: Sizes, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The text encoder: token ids [batch, tokens] to states [batch, tokens, width]."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.text_width,
            intermediate_size=sizes.text_width * 3,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=sizes.text_heads,
            max_position_embeddings=sizes.tokens,
            projection_dim=sizes.text_width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
