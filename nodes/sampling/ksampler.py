"""From noise to a latent."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Denoiser, Field, Latent, Node, NodeContext, Seed, Slider, node
from graphflow.diffusion import SamplerName, ScheduleName, Spacing

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from graphflow.diffusion import Schedule


@node("ksampler")
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
        diffusion.check_latent_space(self.latent, self.denoiser)
        schedule = diffusion.make_schedule(
            self.denoiser.noise,
            self.sampler,
            steps=self.steps,
            kind=self._schedule(),
            spacing=self.spacing,
            strength=self.strength,
            start_step=self.start_step,
            end_step=self.end_step,
        )
        generator = ctx.generator(self.seed)
        noise = diffusion.draw_noise(self.latent.samples.shape, generator)
        if not self.add_noise:
            _skip_draws(schedule, noise, generator)
        with diffusion.opened_network(ctx.models, self.denoiser, [self.positive, self.negative]) as network:
            guider = diffusion.CfgGuider(
                network,
                self._sized(self.positive),
                None if self.negative is None else self._sized(self.negative, is_negative=True),
                scale=self.guidance,
                noise=self.denoiser.noise,
            )
            samples = diffusion.sample(
                guider,
                self._start(noise, schedule),
                schedule,
                generator=generator,
                on_step=_reports(ctx, self.denoiser, schedule.calls),
                keep=self._kept(noise),
            )
        return replace(
            self.latent, samples=diffusion.left_latents(samples, schedule), space=diffusion.space_of(self.denoiser)
        )

    def _sized(self, conditioning: Conditioning, *, is_negative: bool = False) -> Conditioning:
        """The prompts with the picture's size, which some families take."""
        rows, columns = self.latent.samples.shape[-2:]
        return diffusion.with_own_sizes(
            conditioning,
            family=self.denoiser.family,
            width=columns * self.latent.reduction,
            height=rows * self.latent.reduction,
            is_negative=is_negative,
        )

    def _schedule(self) -> ScheduleName:
        if self.schedule != "auto":
            return self.schedule
        return "karras" if "karras" in diffusion.find_sampler(self.sampler).schedules else "normal"

    def _start(self, noise: "Tensor", schedule: "Schedule") -> "Tensor":
        if self.add_noise:
            return diffusion.start_latents(self.latent.samples, noise, schedule)
        return diffusion.resumed_latents(self.latent.samples, schedule)

    def _kept(self, noise: "Tensor") -> "diffusion.KeptOutside | None":
        if self.latent.noise_mask is None:
            return None
        if not self.add_noise:
            raise ValueError(
                "a noise mask needs a latent without noise, but add_noise is off: this latent is noisy already. "
                "Sample all steps in one node, or take the mask away"
            )
        return diffusion.KeptOutside.of(self.latent.samples, noise=noise, mask=self.latent.noise_mask)


def _skip_draws(schedule: "Schedule", noise: "Tensor", generator: "Generator") -> None:
    """Pass over the fresh noise of earlier steps, so that sampling in parts draws what sampling in one go draws."""
    if schedule.sampler.stochastic:
        for _ in range(schedule.start * schedule.sampler.draws):
            diffusion.draw_noise(noise.shape, generator)


def _reports(ctx: NodeContext, denoiser: Denoiser, calls: int) -> Callable[[int, int, "Tensor", "Tensor"], None]:
    """What the sampler calls after each step: progress, a preview, and the moment at which a cancelled run stops."""
    steps = ctx.progress(range(calls), "sampling")
    projection = diffusion.projection_of(denoiser)
    next(steps)

    def on_step(step: int, total: int, latents: "Tensor", clean: "Tensor") -> None:
        next(steps, None)
        if projection is not None:
            ctx.preview(lambda: diffusion.preview_image(clean, projection=projection))

    return on_step
