"""Blend modes: what becomes of a colour below and one above (W3C, Compositing and Blending Level 1). Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

BlendMode = Literal[
    "normal",
    "multiply",
    "screen",
    "overlay",
    "darken",
    "lighten",
    "color dodge",
    "color burn",
    "hard light",
    "soft light",
    "difference",
    "exclusion",
    "add",
    "subtract",
]


def _screen(below: Tensor, above: Tensor) -> Tensor:
    return below + above - below * above


def _hard_light(below: Tensor, above: Tensor) -> Tensor:
    return (below * 2 * above).where(above <= 0.5, _screen(below, 2 * above - 1))


def _soft_light(below: Tensor, above: Tensor) -> Tensor:
    lifted = (((16 * below - 12) * below + 4) * below).where(below <= 0.25, below.clamp(min=0).sqrt())
    darker = below - (1 - 2 * above) * below * (1 - below)
    return darker.where(above <= 0.5, below + (2 * above - 1) * (lifted - below))


def _dodge(below: Tensor, above: Tensor) -> Tensor:
    bright = (below / (1 - above).clamp(min=1e-6)).clamp(max=1)
    return bright.where(below > 0, below)


def _burn(below: Tensor, above: Tensor) -> Tensor:
    dark = 1 - ((1 - below) / above.clamp(min=1e-6)).clamp(max=1)
    return dark.where(below < 1, below)


BLENDS: Mapping[BlendMode, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": lambda below, above: above,
    "multiply": lambda below, above: below * above,
    "screen": _screen,
    "overlay": lambda below, above: _hard_light(above, below),
    "darken": lambda below, above: below.minimum(above),
    "lighten": lambda below, above: below.maximum(above),
    "color dodge": _dodge,
    "color burn": _burn,
    "hard light": _hard_light,
    "soft light": _soft_light,
    "difference": lambda below, above: (below - above).abs(),
    "exclusion": lambda below, above: below + above - 2 * below * above,
    "add": lambda below, above: (below + above).clamp(max=1),
    "subtract": lambda below, above: (below - above).clamp(min=0),
}
"""The colour by mode; both are 0 to 1, and so is the result."""
