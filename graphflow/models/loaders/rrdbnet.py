"""ESRGAN and Real-ESRGAN upscalers: the network from its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from graphflow.models.modules.rrdbnet import RRDBNet, RRDBNetSizes


def build(part: str, config: Mapping[str, Any]) -> nn.Module:
    """The network, on whatever device torch makes tensors now."""
    return RRDBNet(RRDBNetSizes(**config))


def fill_buffers(part: str, network: nn.Module) -> None:
    """There are none."""
