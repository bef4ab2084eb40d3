"""Training aid that teaches a denoiser where things are.

Convolutions know places from the border of the picture alone. Left to itself the small denoiser does not look for them before
captions tell it what they are good for, and does not listen to places in captions before it has them: neither is ever learned.
The compass asks its inner features two questions, and is not part of the finished model.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from graphflow.zoo.scenes import is_at
from graphflow.zoo.vocabulary import PLACES, Place

__all__ = ["Compass"]

CELLS = 8
"""Side of the feature maps that are asked."""


class Compass(nn.Module):
    """Asks before each attention "where are you?" and after it "does the caption name this place?"."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        asked = [unet.mid_block.attentions[0], *unet.up_blocks[0].attentions]
        self.heads = nn.ModuleList(nn.Conv2d(module.in_channels, 2, kernel_size=1) for module in asked)
        self.readers = nn.ModuleList(nn.Conv2d(module.in_channels, 1, kernel_size=1) for module in asked)
        for module, head, reader in zip(asked, self.heads, self.readers, strict=True):
            module.register_forward_pre_hook(partial(self._ask_where, head))
            module.register_forward_hook(partial(self._ask_named, reader))
        side = torch.linspace(-1.0, 1.0, CELLS)
        self._coordinates = torch.stack(torch.meshgrid(side, side, indexing="ij"))
        self._regions = {place: _region(place) for place in PLACES}
        self._named = torch.zeros(0, CELLS, CELLS)
        self._errors: list[Tensor] = []

    def expect(self, places: list[Place]) -> None:
        """Say which places the captions of the first samples of the next batch name; the other samples are not asked."""
        self._named = torch.stack([self._regions[place] for place in places])

    def loss(self) -> Tensor:
        """Mean error of all answers since the last call."""
        mean = torch.stack(self._errors).mean()
        self._errors.clear()
        return mean

    # `Any`: what an attention block returns depends on diffusers' return_dict
    def _ask_where(self, head: nn.Module, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            self._errors.append((head(inputs[0]).float() - self._coordinates).square().mean())

    def _ask_named(self, reader: nn.Module, module: nn.Module, inputs: tuple[Tensor, ...], outputs: Any) -> None:
        if torch.is_grad_enabled():
            answer = reader(outputs[0][: len(self._named)]).float()[:, 0]
            self._errors.append(functional.binary_cross_entropy_with_logits(answer, self._named))


def _region(place: Place) -> Tensor:
    """1 where the middle of a cell is at the place, else 0: [CELLS, CELLS]."""
    middles = [(index + 0.5) / CELLS for index in range(CELLS)]
    return torch.tensor([[float(is_at((x, y), place, tolerance=0.0)) for x in middles] for y in middles])
