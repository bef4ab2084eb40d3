"""Models on links: recipes, never weights.

A recipe says which file, which part of it and which patches; the model store turns it into a module on the device
(`with ctx.models.use(recipe) as module`). Recipes are a few hundred bytes, so they are cached and sent like any value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from graphflow.ports.base import PortType

Precision = Literal["auto", "fp32", "bf16", "fp16"]
PredictionType = Literal["epsilon", "v_prediction", "sample", "flow"]
BetaSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
Projection = tuple[tuple[float, float, float], ...]
"""From latents to colours, -1 to 1: red, green and blue for each channel, and in the last row what is added to the sum."""


@dataclass(frozen=True)
class Patch:
    """A change of a model's weights or modules that is applied when it is handed out and undone exactly afterwards.

    Each technique (LoRA, fusers, ScaleU...) is a subclass with its own fields; `graphflow.models.patches` applies it.
    """

    def at(self, share: float) -> Patch | None:
        """The patch as it is at a share of the noise schedule, 0 (all noise) to 1 (none); None where it does not apply."""
        return self


@dataclass(frozen=True)
class LoraPatch(Patch):
    """Low-rank adapter (Hu et al., arXiv 2106.09685)."""

    file: str
    """Name in the model catalogue."""
    fingerprint: str
    strength: float = 1.0
    """Factor on all that it changes, for as long as the network is handed out; 0 changes nothing."""
    part: str = "unet"
    """Which network's changes to take from the file, which may hold those of a denoiser and of text encoders."""
    start: float = 0.0
    """Share of the noise schedule, 0 to 1, at which it begins to apply; only a sampler knows the way, so this is for denoisers."""
    end: float = 1.0
    """Share of the noise schedule, 0 to 1, at which it stops; 1 is the very end."""
    end_strength: float | None = None
    """Strength at `end`, reached in a straight line from `strength` at `start`; None for the same."""

    def at(self, share: float) -> LoraPatch | None:
        """The patch at a share of the noise schedule, with the strength it has there and no way left to go."""
        if not (self.start <= share and (share < self.end or self.end >= 1)):
            return None
        strength = self.strength
        if self.end_strength is not None:
            strength += (self.end_strength - strength) * (share - self.start) / (self.end - self.start)
        return replace(self, strength=strength, start=0.0, end=1.0, end_strength=None)


@dataclass(frozen=True)
class TextualInversionPatch(Patch):
    """A learned word of a text encoder (Gal et al., arXiv 2208.01618)."""

    file: str
    """Name in the model catalogue."""
    fingerprint: str
    word: str
    """How prompts call it."""
    part: str = "text_encoder"
    """Which text encoder's vectors to take from a file that has them for two."""


@dataclass(frozen=True)
class ModelRecipe(PortType):
    """A part of a model file, and what is patched onto it."""

    file: str
    """Name in the model catalogue, as the user gave it: a file, a folder, or a hub id."""
    fingerprint: str
    """Content digest of the file; another file under the same name is another recipe."""
    family: str
    """Such as `sd15`, found from keys and shapes."""
    part: str
    """Which network of the file: `unet`, `text_encoder`, `vae`..."""
    precision: Precision = "auto"
    """Of the weights; `auto` is right for the device."""
    patches: tuple[Patch, ...] = ()

    def patched(self, patch: Patch) -> Self:
        """The same model with one more patch."""
        return replace(self, patches=(*self.patches, patch))


@dataclass(frozen=True)
class NoiseSpec:
    """How the denoiser was trained: the forward process and what it predicts (Ho et al., arXiv 2006.11239)."""

    prediction: PredictionType = "epsilon"
    train_steps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: BetaSchedule = "scaled_linear"
    zero_terminal_snr: bool = False


@dataclass(frozen=True)
class Denoiser(ModelRecipe):
    """The network that removes noise: a UNet or a transformer."""

    noise: NoiseSpec = NoiseSpec()
    latent_channels: int = 4
    latent_reduction: int = 8
    """Picture pixels per latent pixel along one side."""
    sample_size: int = 64
    """Latent pixels along one side that the network was trained on; sizes are defaults from it, not limits."""
    concat_channels: int = 0
    """Channels that the network takes beside the latents, as the extra conditioning `concat`.

    5 for inpainting (mask, latents of the masked picture), 1 for depth.
    """
    preview: Projection | None = None
    """How its unfinished latents become small pictures, for a model with an autoencoder of its own; None for the family's way."""

    color: ClassVar[str] = "#b39ddb"


@dataclass(frozen=True)
class TextEncoder(ModelRecipe):
    """Turns prompts into conditioning, tokenizer included."""

    second: TextEncoder | None = None
    """The other encoder of a family that reads each prompt with two, such as Stable Diffusion XL; they travel as one."""

    color: ClassVar[str] = "#ffd54f"


@dataclass(frozen=True)
class Vae(ModelRecipe):
    """Autoencoder between pictures and latents."""

    scaling_factor: float = 0.18215
    """Latents = factor * (encoded - shift)."""
    shift_factor: float = 0.0
    latent_channels: int = 4
    reduction: int = 8

    color: ClassVar[str] = "#ff8a65"


@dataclass(frozen=True)
class ControlNet(ModelRecipe):
    """A network that steers a denoiser by a picture of edges, depth, poses... (Zhang et al., arXiv 2302.05543)."""

    color: ClassVar[str] = "#4db6ac"


@dataclass(frozen=True)
class Upscaler(ModelRecipe):
    """A network that makes pictures larger."""

    scale: int = 4
    """Pixels out per pixel in, along one side."""

    color: ClassVar[str] = "#7986cb"
