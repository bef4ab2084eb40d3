"""Colours of pictures: adjusted by hand, or matched to another picture's. Alpha stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from math import radians

import kornia
import torch
from torch import Tensor


def adjusted(
    pixels: Tensor,
    *,
    brightness: float = 1.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue: float = 0.0,
    gamma: float = 1.0,
) -> Tensor:
    """Pictures `[batch, 3 or 4, height, width]` with other colours, in this order: brightness, contrast, saturation, hue, gamma.

    Brightness and saturation are factors, contrast is a factor around middle grey, hue turns by degrees, gamma above 1 makes middle tones lighter.
    """

    def change(colours: Tensor) -> Tensor:
        if brightness != 1:
            colours = colours * brightness
        if contrast != 1:
            colours = ((colours - 0.5) * contrast + 0.5).clamp(0, 1)
        if saturation != 1:
            grey = kornia.color.rgb_to_grayscale(colours)
            colours = grey + (colours - grey) * saturation
        if hue % 360:
            colours = kornia.enhance.adjust_hue(colours.clamp(0, 1), radians(hue))
        return colours if gamma == 1 else colours.clamp(0, 1) ** (1 / gamma)

    return _on_colours(pixels, change)


def inverted(pixels: Tensor) -> Tensor:
    """Each colour becomes its opposite."""
    return _on_colours(pixels, lambda colours: 1 - colours)


def greyed(pixels: Tensor) -> Tensor:
    """Colours become grey of the same lightness (0.299 red, 0.587 green, 0.114 blue), still in three channels."""
    return _on_colours(pixels, lambda colours: kornia.color.rgb_to_grayscale(colours).expand(-1, 3, -1, -1))


def matched_statistics(pixels: Tensor, reference: Tensor) -> Tensor:
    """Mean and spread of the reference's colours, in CIELAB (Reinhard et al., Color Transfer between Images, 2001).

    `reference` holds one picture `[1, 3 or 4, height, width]` of any size, or one for each.
    """
    target = kornia.color.rgb_to_lab(reference[:, :3])
    to_mean, to_spread = target.mean((2, 3), keepdim=True), target.std((2, 3), keepdim=True)

    def change(colours: Tensor) -> Tensor:
        lab = kornia.color.rgb_to_lab(colours)
        mean, spread = lab.mean((2, 3), keepdim=True), lab.std((2, 3), keepdim=True)
        return kornia.color.lab_to_rgb((lab - mean) / spread.clamp(min=1e-3) * to_spread + to_mean)

    return _on_colours(pixels, change)


def matched_histograms(pixels: Tensor, reference: Tensor) -> Tensor:
    """The reference's distribution of values in each channel: the k-th part of the darkest pixels gets what the k-th part has there.

    `reference` holds one picture `[1, 3 or 4, height, width]` of any size, or one for each.
    """

    def change(colours: Tensor) -> Tensor:
        planes = [
            torch.stack([_with_distribution(plane, wanted) for plane, wanted in zip(picture, other, strict=True)])
            for picture, other in zip(colours, reference[:, :3].expand(len(colours), -1, -1, -1), strict=True)
        ]
        return torch.stack(planes)

    return _on_colours(pixels, change)


def _with_distribution(plane: Tensor, wanted: Tensor) -> Tensor:
    """The plane's values by rank among themselves; pixels of one value stay of one value."""
    values, inverse, counts = torch.unique(plane.flatten(), return_inverse=True, return_counts=True)
    middle = (counts.cumsum(0) - counts / 2) / plane.numel()
    levels = wanted.flatten().sort().values
    place = (middle * len(levels) - 0.5).clamp(0, len(levels) - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=len(levels) - 1)
    mapped = torch.lerp(levels[low], levels[high], (place - low).to(levels.dtype))
    return mapped[inverse].view_as(plane).to(plane.dtype) if len(values) else plane


def _on_colours(pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    colours = change(pixels[:, :3]).clamp(0, 1)
    return torch.cat([colours, pixels[:, 3:]], dim=1)
