"""More guiders; like `guidance.CfgGuider`, each turns predictions for several prompts into one, and each is a `sampling.Model`.

A guider asks the network once per call, all prompts in one batch where their sizes allow, and the arithmetic is a function of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphflow.diffusion.guidance import Network, active_entries, blend, cfg, predict, schedule_share
from graphflow.ports.conditioning import Conditioning
from graphflow.ports.model import NoiseSpec

if TYPE_CHECKING:
    from graphflow.diffusion.sampling import Model


def rescaled(guided: Tensor, cond: Tensor, share: float) -> Tensor:
    """Guided prediction with the contrast of the conditional one, mixed in by a share from 0 to 1 (Lin et al., arXiv 2305.08891, section 3.4)."""
    axes = tuple(range(1, guided.ndim))
    contrast = cond.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
    return guided * (share * contrast + 1 - share)


def perpendicular(empty: Tensor, cond: Tensor, negative: Tensor, *, scale: float, negative_scale: float) -> Tensor:
    """Guidance that leaves out what the negative prompt shares with the positive one (Armandpour et al., arXiv 2304.04968, equation 8)."""
    wanted, unwanted = cond - empty, negative - empty
    axes = tuple(range(1, wanted.ndim))
    length = wanted.square().sum(dim=axes, keepdim=True).clamp_min(torch.finfo(wanted.dtype).tiny)
    shared = (wanted * unwanted).sum(dim=axes, keepdim=True) / length
    return empty + scale * (wanted - negative_scale * (unwanted - shared * wanted))


def dual(uncond: Tensor, middle: Tensor, cond: Tensor, *, scale: float, middle_scale: float) -> Tensor:
    """Two guidances in a row: from none to a middle prompt, from there to the whole one (Brooks et al., arXiv 2211.09800, equation 3)."""
    return uncond + middle_scale * (middle - uncond) + scale * (cond - middle)


def away_from(guided: Tensor, cond: Tensor, weakened: Tensor, scale: float) -> Tensor:
    """Guidance away from what a weakened network predicts for the same prompt (Ahn et al., arXiv 2403.17377, equation 16)."""
    return guided + scale * (cond - weakened)


def predictions_for(
    network: Network, latents: Tensor, timestep: Tensor, prompts: Mapping[str, Conditioning], noise: NoiseSpec
) -> list[Tensor]:
    """One prediction for each prompt, by its role and in that order; entries of all of them share a batch where their sizes agree.

    Raises ValueError, naming the role, for a prompt without an entry that applies now.
    """
    share = schedule_share(timestep, noise)
    active = {role: active_entries(prompt, share, role=role) for role, prompt in prompts.items()}
    predicted = iter(predict(network, latents, timestep, [entry for entries in active.values() for entry in entries]))
    return [blend([next(predicted) for _ in entries], entries) for entries in active.values()]


def check_prompts(**prompts: Conditioning) -> None:
    """Raises ValueError, naming the role, for a conditioning without entries."""
    for role, prompt in prompts.items():
        if not prompt.entries:
            raise ValueError(f"the {role} conditioning has no entry; link an encoded prompt")


@dataclass(frozen=True, eq=False)
class RescaledGuider:
    """Classifier-free guidance that keeps the contrast of the conditional prediction, for scales that burn out otherwise."""

    network: Network
    positive: Conditioning
    negative: Conditioning
    scale: float
    noise: NoiseSpec
    share: float = 0.7
    """How much of the contrast to take back: 0 is plain guidance."""

    def __post_init__(self) -> None:
        check_prompts(positive=self.positive, negative=self.negative)
        if not 0 <= self.share <= 1:
            raise ValueError(f"a rescaling of {self.share:g} is out of range; use 0 to 1")

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The guided prediction, of the latents' shape."""
        prompts = {"negative": self.negative, "positive": self.positive}
        uncond, cond = predictions_for(self.network, latents, timestep, prompts, self.noise)
        return rescaled(cfg(uncond, cond, self.scale), cond, self.share)


@dataclass(frozen=True, eq=False)
class PerpendicularGuider:
    """Guidance away from a negative prompt that may contradict the positive one; all three predictions in one batch."""

    network: Network
    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    """The encoded empty text, from which both others are measured."""
    scale: float
    noise: NoiseSpec
    negative_scale: float = 1.0

    def __post_init__(self) -> None:
        check_prompts(positive=self.positive, negative=self.negative, empty=self.empty)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The guided prediction, of the latents' shape."""
        prompts = {"empty": self.empty, "negative": self.negative, "positive": self.positive}
        empty, negative, cond = predictions_for(self.network, latents, timestep, prompts, self.noise)
        return perpendicular(empty, cond, negative, scale=self.scale, negative_scale=self.negative_scale)


@dataclass(frozen=True, eq=False)
class DualGuider:
    """Two guidances of different strength, such as towards a picture and from there towards a text."""

    network: Network
    positive: Conditioning
    middle: Conditioning
    negative: Conditioning
    scale: float
    middle_scale: float
    noise: NoiseSpec

    def __post_init__(self) -> None:
        check_prompts(positive=self.positive, middle=self.middle, negative=self.negative)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The guided prediction, of the latents' shape."""
        prompts = {"negative": self.negative, "middle": self.middle, "positive": self.positive}
        uncond, middle, cond = predictions_for(self.network, latents, timestep, prompts, self.noise)
        return dual(uncond, middle, cond, scale=self.scale, middle_scale=self.middle_scale)


@dataclass(frozen=True, eq=False)
class WeakenedGuider:
    """Classifier-free guidance, and guidance away from the same network with a part of it switched off.

    Which part makes the kind: self-attention maps for perturbed-attention guidance (Ahn et al., arXiv 2403.17377), whole layers for
    skip-layer guidance (Hyung et al., arXiv 2411.18664). The weakened network is a callable like any other; `weakened` makes both of a UNet.
    """

    network: Network
    weakened: Network
    positive: Conditioning
    negative: Conditioning | None
    scale: float
    weakened_scale: float
    noise: NoiseSpec

    def __post_init__(self) -> None:
        check_prompts(positive=self.positive)
        if self.scale != 1:
            if self.negative is None:
                raise ValueError(f"guidance {self.scale:g} needs a negative conditioning; link one, or use guidance 1")
            check_prompts(negative=self.negative)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The guided prediction, of the latents' shape."""
        positive = {"positive": self.positive}
        if self.scale != 1 and self.negative is not None:
            prompts = {"negative": self.negative, **positive}
            uncond, cond = predictions_for(self.network, latents, timestep, prompts, self.noise)
            guided = cfg(uncond, cond, self.scale)
        else:
            (cond,) = predictions_for(self.network, latents, timestep, positive, self.noise)
            guided = cond
        if self.weakened_scale == 0:
            return guided
        (weakened,) = predictions_for(self.weakened, latents, timestep, positive, self.noise)
        return away_from(guided, cond, weakened, self.weakened_scale)


@dataclass(frozen=True, eq=False)
class RangedGuider:
    """One guider within a part of the schedule and another one outside of it, such as none: guidance harms at high noise and is wasted at low
    (Kynkäänniemi et al., arXiv 2404.07724)."""

    inside: Model
    outside: Model
    start: float
    """Share of the schedule, 0 at all noise to 1 at none, from which `inside` guides..."""
    end: float
    """... up to, not including, this one; 1 is the very end."""
    noise: NoiseSpec

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"guidance from {self.start:g} to {self.end:g} of the schedule is no range; use 0 to 1, the start below the end"
            )

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The prediction of the guider whose turn it is."""
        share = schedule_share(timestep, self.noise)
        within = self.start <= share and (share < self.end or self.end >= 1)
        return (self.inside if within else self.outside)(latents, timestep)
