"""Where text-to-image begins."""

import graphflow.diffusion as diffusion
from graphflow import Denoiser, Field, Latent, Node, NodeContext, node

_PLAIN_SIDE = 512
_PLAIN_CHANNELS = 4
_PLAIN_REDUCTION = 8


@node("empty_latent", cache="disk")
class EmptyLatent(Node):
    """An empty latent of the picture's size; a sampler fills it."""

    denoiser: Denoiser | None = None
    """The model that will fill it: decides the kind of latent, and the size where none is given."""
    width: int | None = Field(default=None, ge=8, le=16384)
    """Picture width in pixels, a multiple of 8 for most models. Left empty: what the model was trained on, or 512."""
    height: int | None = Field(default=None, ge=8, le=16384)
    """Picture height in pixels, a multiple of 8 for most models. Left empty: what the model was trained on, or 512."""
    batch: int = Field(default=1, ge=1, le=256)
    """How many pictures are sampled together. They share one draw of noise; map over seeds where each one should have its own seed."""

    def run(self, ctx: NodeContext) -> Latent:
        """Raises ValueError, naming the nearest size, for a side that does not fit."""
        model = self.denoiser
        channels = model.latent_channels if model else _PLAIN_CHANNELS
        reduction = model.latent_reduction if model else _PLAIN_REDUCTION
        side = model.sample_size * reduction if model else _PLAIN_SIDE
        samples = diffusion.empty_latents(
            width=side if self.width is None else self.width,
            height=side if self.height is None else self.height,
            batch=self.batch,
            channels=channels,
            reduction=reduction,
        )
        return Latent(samples, reduction=reduction)
