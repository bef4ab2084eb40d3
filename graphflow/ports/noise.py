"""Noise to sample from, as a recipe: seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphflow.ports.base import PortType


@dataclass(frozen=True)
class Noise(PortType):
    """Where the noise of a sampling comes from: what it begins with, and what some samplers add at each step."""

    seeds: tuple[int, ...]
    """One seed for a whole batch, or one for each of its pictures."""
    is_added: bool = True
    """False for a latent that is noisy already: its steps go on where an earlier part with the same seeds stopped."""

    color: ClassVar[str] = "#a1887f"
