"""The choices there are for editing masks and latents. Nothing here imports torch."""

from __future__ import annotations

from typing import Literal

LatentFilter = Literal["bicubic", "bilinear", "area", "nearest"]
MirrorAxis = Literal["horizontal", "vertical"]
QuarterTurns = Literal["90", "180", "270"]
FeatherSide = Literal["outside", "both", "inside"]
MaskCombination = Literal["union", "intersection", "difference", "exclusion"]
Channel = Literal["brightness", "red", "green", "blue", "alpha"]
