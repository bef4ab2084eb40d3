"""A base model and its refiner."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Guider, Latent, Node, NodeContext, Noise, NoiseSchedule, Slider, node
from graphflow.diffusion import RefineMethod, SamplerName

from ._progress import reports


@node("refine_stage")
class RefineStage(Node):
    """Let one model begin a picture and another one finish it, as Stable Diffusion XL and its refiner do."""

    base: Guider
    """The model that begins, its prompts, and how hard it follows them."""
    refiner: Guider
    """The model that finishes, with prompts that its own text encoder has read."""
    latent: Latent
    """Where the base begins: an empty latent, or an encoded picture."""
    schedule: NoiseSchedule
    """How the noise falls, for both. Of strength 1 if noise is handed over."""
    noise: Noise
    """What the base begins with: random_noise."""
    sampler: SamplerName = "dpmpp_2m"
    """The method of stepping, of both."""
    share: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.8, gt=0, lt=1)
    """The base's share of the way. The refiner makes the rest, or that much of the finished picture anew."""
    method: RefineMethod = "hand over"
    """hand over: the base stops with noise left and the refiner goes on, which was trained for that. image to image: the base finishes, and
    the refiner adds new noise and removes it, which any model can."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError for settings that contradict each other and for parts that do not fit together."""
        latent = self.latent
        stages = diffusion.refine_stages(self.schedule, self.noise, share=self.share, method=self.method)
        for guider, (schedule, noise), label in zip(
            (self.base, self.refiner), stages, ("base", "refiner"), strict=True
        ):
            latent = diffusion.sample_latent(
                ctx.models,
                guider,
                latent,
                sampler=self.sampler,
                schedule=schedule,
                noise=noise,
                generator=ctx.generator,
                on_step=reports(ctx, guider.denoiser, label=label),
            ).latent
        return latent
