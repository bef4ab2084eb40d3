"""Pictures that steer a denoiser through a ControlNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphflow.ports.mask import Mask
from graphflow.ports.model import ControlNet

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Control:
    """One ControlNet at work on one prompt: what it looks at, and where, when and how strongly it applies."""

    network: ControlNet
    picture: Tensor
    """`[batch or 1, 3, height, width]`, float32, 0 to 1: edges, depth, a pose... in any size; the sampler fits it to its own."""
    strength: float = 1.0
    """Factor on what the network adds, 0 or more."""
    start: float = 0.0
    """Share of the noise schedule, 0 to 1, at which it begins to apply."""
    end: float = 1.0
    """Share of the noise schedule, 0 to 1, at which it stops; 1 is the very end."""
    mask: Mask | None = None
    """Where it applies, in any size; None means everywhere."""
    rising: bool = False
    """Weak in the denoiser's outer layers and at full strength in its middle, so that it leaves the prompt more room."""
