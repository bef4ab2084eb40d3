"""Upscalers through spandrel, which finds the architecture in the weights themselves. Importing this needs spandrel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import spandrel
import torch
from torch import Tensor, nn

from graphflow.errors import ModelMismatch
from graphflow.models.headers import TensorHeader
from graphflow.models.weights import WeightReader

_COLOURS = 3


class SpandrelUpscaler(nn.Module):
    """A network of spandrel's, which pads pictures to the sizes that it can work on."""

    def __init__(self, descriptor: Any) -> None:  # spandrel's descriptor of a network
        super().__init__()
        self.network: nn.Module = descriptor.model
        self._descriptor = descriptor

    @property
    def scale(self) -> int:
        """Pixels out per pixel in, along one side."""
        return int(self._descriptor.scale)

    @property
    def architecture(self) -> str:
        """Such as `SwinIR`."""
        return str(self._descriptor.architecture.name)

    @property
    def purpose(self) -> str:
        """Such as `SR`."""
        return str(self._descriptor.purpose)

    @property
    def takes_pictures(self) -> bool:
        """Whether it makes a picture from one picture of three colours."""
        channels = (self._descriptor.input_channels, self._descriptor.output_channels)
        return isinstance(self._descriptor, spandrel.ImageModelDescriptor) and channels == (_COLOURS, _COLOURS)

    def in_precision(self, dtype: torch.dtype) -> SpandrelUpscaler:
        """The same in another type, where the architecture works in it; else in fp32."""
        supported = {torch.float16: self._descriptor.supports_half, torch.bfloat16: self._descriptor.supports_bfloat16}
        self._descriptor.to(dtype if supported.get(dtype, True) else torch.float32)
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """`[batch, 3, height, width]`, 0 to 1, made `scale` times as wide and high."""
        return cast("Tensor", self._descriptor(pixels))


def read_upscaler(tensors: Mapping[str, TensorHeader]) -> SpandrelUpscaler | None:
    """The network that these tensors belong to, in fp32 on the CPU; None for an architecture that spandrel does not know.

    Raises ModelMismatch for weights that do not fit the architecture.
    """
    with WeightReader() as reader:
        state = {name: reader.read(header).clone() for name, header in tensors.items()}
    try:
        descriptor = spandrel.ModelLoader("cpu").load_from_state_dict(spandrel.canonicalize_state_dict(state))
    except spandrel.UnsupportedModelError:
        return None
    except Exception as error:  # an architecture was recognised, and its own code did not get along with these weights
        file = next(iter(tensors.values())).file
        raise ModelMismatch(
            f"{file} looks like an upscaler that spandrel knows, but its weights do not fit: {type(error).__name__}: {error}"
        ) from error
    return SpandrelUpscaler(descriptor).eval()
