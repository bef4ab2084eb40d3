"""What samplers tell while they work."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import graphflow.diffusion as diffusion
from graphflow import Denoiser, NodeContext

if TYPE_CHECKING:
    from torch import Tensor


def reports(
    ctx: NodeContext, denoiser: Denoiser, *, label: str = "sampling"
) -> Callable[[int, int, "Tensor", "Tensor"], None]:
    """To call after each step: progress, a preview, and the moment at which a cancelled run stops."""
    projection = diffusion.projection_of(denoiser)
    steps: Iterator[int] | None = None

    def on_step(step: int, total: int, latents: "Tensor", clean: "Tensor") -> None:
        nonlocal steps
        if steps is None:
            steps = ctx.progress(range(total), label)
            next(steps)
        next(steps, None)
        if projection is not None:
            ctx.preview(lambda: diffusion.preview_image(clean, projection=projection))

    return on_step
