"""From noise to a latent."""

from typing import Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import (
    CfgGuidance,
    Conditioning,
    Denoiser,
    Field,
    Latent,
    Node,
    NodeContext,
    Noise,
    NoiseSchedule,
    SavedNodeEdit,
    Seed,
    Slider,
    migration,
    node,
)
from graphflow.diffusion import SamplerName, ScheduleName, Spacing

from ._progress import reports


@node("ksampler", version=2)
class KSampler(Node):
    """Turn noise into a latent by running a sampler along a noise schedule, or change a latent that has a picture already."""

    denoiser: Denoiser
    """The model that removes the noise."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show. Needed when guidance is above 1; the encoded empty text will do."""
    latent: Latent
    """Where to begin: an empty latent, or an encoded picture. With a noise mask, only what lies inside changes."""
    seed: Seed = 0
    """Same seed, same picture."""
    steps: int = Field(default=20, ge=1, le=1000)
    """How many times to remove noise from all noise to none. More is finer, and slower."""
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = Field(default=5.0, ge=0, le=100)
    """How hard to follow the prompt, away from the negative one. 1 and below ignore the negative prompt, and take half the time."""
    sampler: SamplerName = "dpmpp_2m"
    """The method of stepping. Names with _a or sde, ddpm and lcm add fresh noise; heun, dpm_2(_a), dpmpp_2s_a and dpmpp_sde take twice the time."""
    schedule: Literal["auto", ScheduleName] = "auto"
    """How the noise falls from step to step. auto is karras, which spends more steps on details, and normal for samplers that have nothing else."""
    spacing: Spacing = "leading"
    """How the steps spread over those of the training."""
    strength: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, gt=0, le=1)
    """How much of a picture to make anew: 0.3 keeps most of it, 1 keeps nothing. Only that share of the steps is made."""
    start_step: int = Field(default=0, ge=0, le=1000)
    """First step to make, for sampling in parts. Leave strength at 1 then."""
    end_step: int | None = Field(default=None, ge=1, le=1000)
    """Step to stop before, leaving the rest of the noise in. Left empty: to the end."""
    add_noise: bool = True
    """Off to go on with a latent that an earlier sampler stopped in, with the same seed."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for settings that contradict each other and for parts that do not fit together."""
        return diffusion.sample_latent(
            ctx.models,
            # At 1, the negative prompt has no say.
            CfgGuidance(self.denoiser, self.positive, self.negative, scale=max(self.guidance, 1.0)),
            self.latent,
            sampler=self.sampler,
            schedule=NoiseSchedule(
                self.schedule,
                self.steps,
                self.spacing,
                strength=self.strength,
                start_step=self.start_step,
                end_step=self.end_step,
            ),
            noise=Noise((self.seed,), is_added=self.add_noise),
            generator=ctx.generator,
            on_step=reports(ctx, self.denoiser),
        ).latent

    @migration(from_version=1)
    def _(saved: SavedNodeEdit) -> None:
        """Nothing saved changes: in version 1 a gray spot of a noise mask was blended, now it changes as far as that strength."""
