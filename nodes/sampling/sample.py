"""From noise to a latent, out of separate parts."""

import graphflow.diffusion as diffusion
from graphflow import Guider, Latent, Node, NodeContext, NodeOutputs, Noise, NoiseSchedule, node
from graphflow.diffusion import SamplerName

from ._progress import reports


@node("sample")
class Sample(Node):
    """The sampler in parts: whatever guider, schedule and noise you link. ksampler is the same with the usual parts built in."""

    guider: Guider
    """The model, its prompts, and how hard it follows them."""
    latent: Latent
    """Where to begin: an empty latent, an encoded picture, or what an earlier sampler left. With a noise mask, only what lies inside changes."""
    schedule: NoiseSchedule
    """How the noise falls, and which steps to make."""
    noise: Noise
    """What to begin with: random_noise, or no_noise for a latent that an earlier sampler left noisy."""
    sampler: SamplerName = "dpmpp_2m"
    """The method of stepping. Names with _a or sde, ddpm and lcm add fresh noise; heun, dpm_2(_a), dpmpp_2s_a and dpmpp_sde take twice the time."""

    class Outputs(NodeOutputs):
        latent: Latent
        """What sampling ends with, noise included if the schedule stops early."""
        denoised: Latent
        """What the model thought, at the last step, that it would be without any noise."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for settings that contradict each other and for parts that do not fit together."""
        sampled = diffusion.sample_latent(
            ctx.models,
            self.guider,
            self.latent,
            sampler=self.sampler,
            schedule=self.schedule,
            noise=self.noise,
            generator=ctx.generator,
            on_step=reports(ctx, self.guider.denoiser),
        )
        return self.Outputs(latent=sampled.latent, denoised=sampled.clean)
