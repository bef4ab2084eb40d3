"""Noise schedules: which levels a sampler visits, and which steps it makes."""

from dataclasses import replace
from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Node, NodeContext, NodeOutputs, NoiseSchedule, Slider, node
from graphflow.diffusion import ScheduleName, Spacing


@node("noise_schedule")
class MakeNoiseSchedule(Node):
    """How the noise falls from step to step, and which of the steps to make."""

    kind: Literal["auto", ScheduleName] = "auto"
    """auto is karras, which spends more steps on details, and normal for samplers that have nothing else. align_your_steps fits the
    model's family by itself."""
    steps: int = Field(default=20, ge=1, le=1000)
    """How many steps from all noise to none. More is finer, and slower."""
    spacing: Spacing = "leading"
    """How the steps of the normal schedule spread over those of the training."""
    strength: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, gt=0, le=1)
    """How much of a picture to make anew: 0.3 keeps most of it, 1 keeps nothing. Only that share of the steps is made."""
    start_step: int = Field(default=0, ge=0, le=1000)
    """First step to make, for sampling in parts. Leave strength at 1 then."""
    end_step: int | None = Field(default=None, ge=1, le=1000)
    """Step to stop before, leaving the rest of the noise in. Left empty: to the end."""
    start: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.0, ge=0, lt=1)
    """The same by a share of the way instead of steps: 0 is all noise, 1 none."""
    end: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, gt=0, le=1)
    """Share of the way at which to stop, such as 0.8 for a base model before its refiner."""

    def run(self, ctx: NodeContext) -> NoiseSchedule:
        """A recipe: the levels depend on the model and the sampler that follow it."""
        return NoiseSchedule(
            self.kind,
            self.steps,
            self.spacing,
            strength=self.strength,
            start_step=self.start_step,
            end_step=self.end_step,
            start=self.start,
            end=self.end,
        )


@node("custom_schedule")
class CustomSchedule(Node):
    """Noise levels of your own, for every sampler but those that visit fixed ones (ddim, ddpm, pndm, lcm)."""

    sigmas: list[float] = Field(default=[14.6, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05, 0.0], min_length=1, max_length=1001)
    """Falling numbers, one for each step, and 0 at the end, which may be left out. Stable Diffusion begins at about 14.6."""
    strength: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, gt=0, le=1)
    """How much of a picture to make anew. Only that share of the steps is made."""

    def run(self, ctx: NodeContext) -> NoiseSchedule:
        """Raises ValueError for numbers that do not fall, or below 0."""
        levels = tuple(float(level) for level in diffusion.falling_levels(self.sigmas))
        return NoiseSchedule(steps=len(levels), sigmas=levels, strength=self.strength)


@node("split_schedule")
class SplitSchedule(Node):
    """Two parts of one schedule, for two samplers in a row: the first stops at a step, the second goes on from there (with no_noise)."""

    schedule: NoiseSchedule
    """The whole, of strength 1."""
    step: int = Field(default=10, ge=1, le=1000)
    """The second part's first step."""

    class Outputs(NodeOutputs):
        high: NoiseSchedule
        """The noisy part, first."""
        low: NoiseSchedule
        """The rest."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError if a part would have no step."""
        first, last = self.schedule.start_step, self.schedule.end_step or self.schedule.steps
        if not first < self.step < last:
            raise ValueError(
                f"step {self.step} does not split steps {first} to {last} in two; use {first + 1} to {last - 1}"
            )
        return self.Outputs(
            high=replace(self.schedule, end_step=self.step), low=replace(self.schedule, start_step=self.step)
        )
