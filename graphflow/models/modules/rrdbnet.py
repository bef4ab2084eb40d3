"""RRDBNet: the upscaling network of ESRGAN (Wang et al., arXiv 1809.00219) and Real-ESRGAN (arXiv 2107.10833).

    picture -> [unshuffle] -> conv_first -> body of RRDBs -> conv_body -> + -> conv_up... -> conv_hr -> conv_last -> picture
                                   |_____________________________________|

An RRDB is three dense blocks of five convolutions, each block and the whole added to what came in, at a fifth of their strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_unshuffle

_SLOPE = 0.2
_RESIDUAL = 0.2


@dataclass(frozen=True)
class RRDBNetSizes:
    """Sizes of a network."""

    channels: int = 3
    """Of pictures, in and out."""
    features: int = 64
    growth: int = 32
    """Channels that each convolution of a dense block adds."""
    blocks: int = 23
    doublings: int = 2
    """How often the sides are doubled on the way out."""
    unshuffle: int = 1
    """Pixels along one side that are put into channels on the way in: 2 and 4 make faster networks of a smaller scale."""

    @property
    def scale(self) -> int:
        """Pixels out per pixel in, along one side."""
        return (1 << self.doublings) // self.unshuffle


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all that came before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, features, height, width]`, the same size."""
        seen = x
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, leaky_relu(layer(seen), _SLOPE)], dim=1)
        learned: Tensor = self.conv5(seen)
        return x + _RESIDUAL * learned


class RRDB(nn.Module):
    """Residual in residual dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, features, height, width]`, the same size."""
        learned: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + _RESIDUAL * learned


class RRDBNet(nn.Module):
    """Makes pictures larger by a whole factor, inventing fitting detail."""

    def __init__(self, sizes: RRDBNetSizes) -> None:
        super().__init__()
        self.sizes = sizes
        features = sizes.features
        self.conv_first = _conv(sizes.channels * sizes.unshuffle**2, features)
        self.body = nn.Sequential(*(RRDB(features, sizes.growth) for _ in range(sizes.blocks)))
        self.conv_body = _conv(features, features)
        for number in range(sizes.doublings):
            self.add_module(f"conv_up{number + 1}", _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, sizes.channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """`[batch, channels, height, width]`, 0 to 1, made `sizes.scale` times as wide and high; not cut to 0 to 1."""
        height, width = pixels.shape[-2:]
        block = self.sizes.unshuffle
        if block > 1:
            pixels = pixel_unshuffle(pad(pixels, (0, -width % block, 0, -height % block), mode="replicate"), block)
        x = self.conv_first(pixels)
        x = x + self.conv_body(self.body(x))
        for number in range(self.sizes.doublings):
            larger = interpolate(x, scale_factor=2, mode="nearest")
            x = leaky_relu(self.get_submodule(f"conv_up{number + 1}")(larger), _SLOPE)
        made: Tensor = self.conv_last(leaky_relu(self.conv_hr(x), _SLOPE))
        return made[..., : height * self.sizes.scale, : width * self.sizes.scale]


def _conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1)
