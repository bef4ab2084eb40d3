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


@dataclass(frozen=True)
class Patch:
    """A change of a model's weights or modules that is applied when it is handed out and undone exactly afterwards.

    Each technique (LoRA, fusers, ScaleU...) is a subclass with its own fields; `graphflow.models.patches` applies it.
    """


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
