"""Between pictures and latents, with a diffusers `AutoencoderKL` (Rombach et al., arXiv 2112.10752)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphflow.diffusion.sizes import latent_size
from graphflow.diffusion.tiled import Tiling


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the encoder says about a picture's latent: a normal distribution, before scaling."""

    mean: Tensor
    """`[batch, channels, height, width]`, float32."""
    log_variance: Tensor
    """Of the same shape, float32, -30 to 20."""

    def sample(self, noise: Tensor) -> Tensor:
        """A draw, from standard normal noise of the same shape."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise.to(self.mean)


def to_model_range(pixels: Tensor) -> Tensor:
    """Pixels from 0 to 1 as autoencoders take them, -1 to 1."""
    return pixels * 2 - 1


def to_pixels(decoded: Tensor) -> Tensor:
    """What an autoencoder gives, about -1 to 1, as pixels, cut to 0 to 1."""
    return (decoded / 2 + 0.5).clamp(0, 1)


@torch.no_grad()
def posterior(vae: Any, pixels: Tensor, *, tiling: Tiling | None = None) -> Posterior:
    """The latent distribution of pictures `[batch, 3, height, width]`, 0 to 1; a fourth channel, alpha, is left out.

    Raises ValueError, naming the nearest size, when a side is not a multiple of the autoencoder's reduction.
    """
    if pixels.ndim != 4 or pixels.shape[1] not in (3, 4):
        raise ValueError(f"pictures have the shape [batch, 3, height, width], not {list(pixels.shape)}")
    latent_size(pixels.shape[-1], pixels.shape[-2], reduction=reduction(vae))

    def moments(pictures: Tensor) -> Tensor:
        distribution = vae.encode(_as_weights(vae, pictures)).latent_dist
        return _plain(torch.cat([distribution.mean, distribution.logvar], dim=1), pixels)

    pictures = to_model_range(pixels[:, :3])
    found = tiling.apply(moments, pictures, given=reduction(vae)) if tiling else moments(pictures)
    mean, log_variance = found.chunk(2, dim=1)
    return Posterior(mean, log_variance)


def encode_pictures(
    vae: Any,
    pixels: Tensor,
    *,
    scaling_factor: float,
    shift_factor: float = 0.0,
    noise: Tensor | None = None,
    tiling: Tiling | None = None,
) -> Tensor:
    """Latents of pictures `[batch, 3, height, width]`, 0 to 1: `[batch, channels, height / reduction, width / reduction]`, float32.

    With noise of the latents' shape they are a draw from the posterior, without it the posterior's mean. Where one generator serves both,
    the posterior's noise is drawn before the sampler's. Raises ValueError as `posterior` does.
    """
    found = posterior(vae, pixels, tiling=tiling)
    latents = found.mean if noise is None else found.sample(noise)
    return (latents - shift_factor) * scaling_factor


@torch.no_grad()
def decode_raw(
    vae: Any, latents: Tensor, *, scaling_factor: float, shift_factor: float = 0.0, tiling: Tiling | None = None
) -> Tensor:
    """The autoencoder's answer for latents, float32, about -1 to 1.

    Raises ValueError for a wrong number of channels, and for latents or a precision that make no picture.
    """
    expected = vae.config.latent_channels
    if latents.shape[1] != expected:
        raise ValueError(
            f"latents of {latents.shape[1]} channels do not fit an autoencoder that takes {expected}; use the one of the same family"
        )

    def decoded(part: Tensor) -> Tensor:
        return _plain(vae.decode(_as_weights(vae, part), return_dict=False)[0], latents)

    unscaled = latents / scaling_factor + shift_factor
    answer = tiling.apply(decoded, unscaled, made=reduction(vae)) if tiling else decoded(unscaled)
    _check_finite(vae, latents, answer)
    return answer


def _check_finite(vae: Any, latents: Tensor, answer: Tensor) -> None:
    """Raise ValueError for a picture that is no picture; Stable Diffusion XL's own autoencoder makes such ones in float16."""
    if bool(torch.isfinite(answer).all()):
        return
    if not bool(torch.isfinite(latents).all()):
        raise ValueError("the latent holds numbers that are not finite (NaN or infinity); look at what made it")
    precision = str(vae.decoder.conv_in.weight.dtype).removeprefix("torch.")
    raise ValueError(
        f"the autoencoder's numbers grew too large for {precision}, so there is no picture; "
        "load it with the precision bf16 or fp32, as load_vae can"
    )


def decode_latents(
    vae: Any, latents: Tensor, *, scaling_factor: float, shift_factor: float = 0.0, tiling: Tiling | None = None
) -> Tensor:
    """Pictures of latents: `[batch, 3, height, width]`, float32, 0 to 1. Raises ValueError for a wrong number of channels."""
    return to_pixels(decode_raw(vae, latents, scaling_factor=scaling_factor, shift_factor=shift_factor, tiling=tiling))


def reduction(vae: Any) -> int:
    """Picture pixels per latent pixel along one side."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def latent_shape(vae: Any, pixels: Tensor) -> tuple[int, int, int, int]:
    """Shape of the latents of pictures, for drawing noise. Raises ValueError for a size that does not fit."""
    width, height = latent_size(pixels.shape[-1], pixels.shape[-2], reduction=reduction(vae))
    return pixels.shape[0], int(vae.config.latent_channels), height, width


def _as_weights(vae: Any, values: Tensor) -> Tensor:
    weight: Tensor = vae.decoder.conv_in.weight
    channels_last = weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return values.to(weight.device, weight.dtype, memory_format=layout)


def _plain(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.device, torch.float32, memory_format=torch.contiguous_format)
