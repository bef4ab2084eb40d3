"""Which steps of a schedule to make, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Cut:
    """What was asked for: a share of the steps, steps by number, or a span of the way from all noise (0) to none (1)."""

    strength: float = 1.0
    start_step: int = 0
    end_step: int | None = None
    start: float = 0.0
    end: float = 1.0

    def steps(self, timesteps: ArrayLike, *, train_steps: int) -> tuple[int, int]:
        """First step to make and the one before which to stop, for the falling timesteps `[steps]` of a whole schedule.

        Raises ValueError for a strength beside another cut, numbers out of range, or when no step is left.
        """
        levels = np.asarray(timesteps, dtype=np.float64)
        if self.strength != 1.0:
            if (self.start_step, self.start, self.end) != (0, 0.0, 1.0) or (self.end_step or len(levels)) < len(levels):
                raise ValueError(
                    f"strength {self.strength:g} and a part of the steps ({self._asked(len(levels))}) were both asked for; "
                    "use strength 1 with the part, or strength alone"
                )
            return strength_cut(len(levels), self.strength), len(levels)
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"the way from {self.start:g} to {self.end:g} is no part of a schedule; use 0 to 1, the start below the end"
            )
        first = max(self.start_step, step_at(levels, self.start, train_steps=train_steps))
        last = min(
            len(levels) if self.end_step is None else self.end_step,
            step_at(levels, self.end, train_steps=train_steps) if self.end < 1 else len(levels),
        )
        if not 0 <= first < min(last, len(levels)):
            raise ValueError(
                f"{self._asked(len(levels))} of {len(levels)} leave nothing to do; the start must be at least 0 and below the end"
            )
        return first, min(last, len(levels))

    def _asked(self, steps: int) -> str:
        asked = f"steps {self.start_step} to {steps if self.end_step is None else self.end_step}"
        return (
            asked
            if (self.start, self.end) == (0.0, 1.0)
            else f"{asked}, from {self.start:g} to {self.end:g} of the way"
        )


def strength_cut(steps: int, strength: float) -> int:
    """The first step that image-to-image of a strength makes: min(int(steps * strength), steps) are left, as diffusers has it.

    Raises ValueError for a strength out of range, or when no step is left.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"strength {strength:g} is out of range; use more than 0 and at most 1")
    kept = min(int(steps * strength), steps)
    if kept < 1:
        raise ValueError(
            f"strength {strength:g} of {steps} steps leaves no step to make; use a strength of at least {1 / steps:.2g} "
            "or more steps"
        )
    return steps - kept


def step_at(timesteps: ArrayLike, share: float, *, train_steps: int) -> int:
    """How many steps lie before a share of the training steps, counted from the noisiest: diffusers' denoising_end and denoising_start."""
    cutoff = round(train_steps - share * train_steps)
    return int((np.asarray(timesteps) >= cutoff).sum()) if share > 0 else 0
