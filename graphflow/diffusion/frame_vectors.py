"""Vectors that tell video networks of each frame: its speed, the noise on its picture, and where the camera stands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from graphflow.diffusion.embeddings import embed_numbers

NUMBER_WIDTH = 256
ANGLE_WIDTH = 512


def motion_vectors(frames: int, *, fps: float, motion: float, noise: float) -> Tensor:
    """`[frames, 768]`: frames per second, amount of motion and noise on the conditioning picture, the same for each frame.

    Stable Video Diffusion (Blattmann et al., arXiv 2311.15127); it was trained with `fps` one lower than the video's.
    """
    return embed_numbers(torch.tensor([[fps, motion, noise]]), NUMBER_WIDTH).repeat(frames, 1)


def camera_vectors(polar: Tensor, azimuth: Tensor, *, noise: float) -> Tensor:
    """`[frames, 1280]` from angles `[frames]` in radians: noise on the conditioning picture, polar angle, azimuth.

    SV3D (Voleti et al., arXiv 2403.12008) and SV4D (Xie et al., arXiv 2407.17470).
    """
    noises = embed_numbers(torch.full_like(polar, noise), NUMBER_WIDTH)
    return torch.cat([noises, embed_numbers(polar, ANGLE_WIDTH), embed_numbers(azimuth, ANGLE_WIDTH)], dim=-1)


def camera_angles(elevations: Sequence[float], azimuths: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Polar angles and azimuths, `[frames]` each, float64, in radians, from an orbit in degrees whose last frame is the input view.

    Polar angles count from the pole; azimuths from the last frame, 0 to 2 pi.
    """
    polar = [math.radians(90 - elevation) for elevation in elevations]
    azimuth = [math.radians((angle - azimuths[-1]) % 360) for angle in azimuths]
    return torch.tensor(polar, dtype=torch.float64), torch.tensor(azimuth, dtype=torch.float64)
