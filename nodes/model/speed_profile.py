"""How fast a model may draw."""

from typing import Literal

from graphflow import AttentionPatch, Denoiser, Field, Node, NodeContext, node, with_speed


@node("speed_profile", lane="io")
class SpeedProfile(Node):
    """Make a model draw faster, at the price of other roundings or of small changes in the picture.

    Nothing is made faster in secret: a model without this node draws as exactly as it can.
    """

    denoiser: Denoiser
    """The model that draws."""
    profile: Literal["exact", "balanced", "fast"] = "balanced"
    """exact: nothing changes. balanced: roundings only; gains on NVIDIA GPUs, little on CPUs. fast: most of the model works at some steps only,
    which saves half of the time and changes details."""
    attention: Literal["auto", "sdpa", "flash", "xformers", "sage"] = "auto"
    """What computes attention. auto: what the settings say, which is sdpa, torch's own, right for every device. The others are libraries for
    NVIDIA GPUs that are installed apart; sage rounds coarsely."""
    cache_interval: int = Field(default=3, ge=2, le=10)
    """With fast: the whole model works at one step of so many. 2 stays close to the exact picture; more saves more time."""
    cache_depth: int = Field(default=1, ge=1, le=4)
    """With fast: layers at the end of the model that work at every step. More is slower and closer to the exact picture."""

    def run(self, ctx: NodeContext) -> Denoiser:
        """The same model with its speed; a backend that is missing here is reported by the node that samples."""
        denoiser = self.denoiser
        if self.attention != "auto":
            denoiser = denoiser.patched(AttentionPatch(self.attention))
        return with_speed(denoiser, self.profile, interval=self.cache_interval, depth=self.cache_depth)
