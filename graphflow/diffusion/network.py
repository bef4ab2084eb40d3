"""From a denoiser's recipe to the network that guiders call: what it needs is opened for a block, and closed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from graphflow.diffusion.controlnet import Steering
from graphflow.diffusion.denoise import UNetDenoiser
from graphflow.diffusion.guidance import BatchConditioning, Network, schedule_share
from graphflow.diffusion.halving import HalvingNetwork
from graphflow.errors import ModelMismatch
from graphflow.ports.conditioning import Conditioning
from graphflow.ports.model import ControlNet, Denoiser, Patch

if TYPE_CHECKING:
    from graphflow.authoring import ModelService


@contextmanager
def opened_network(
    models: ModelService, denoiser: Denoiser, prompts: Iterable[Conditioning | None] = ()
) -> Iterator[OpenedNetwork]:
    """The recipe's network, patched, with the ControlNets of all prompts that will be sampled, for the block.

    Patches that follow the noise schedule change between two calls. A batch that memory has no room for is halved.
    Raises ModelMismatch for a ControlNet of another family, ModelError if a file is missing or does not fit, OutOfMemory if there
    is no room.
    """
    recipes = _controlnets(prompts, denoiser)
    with ExitStack() as stack:
        switch = None
        if any(_follows_schedule(patch) for patch in denoiser.patches):
            unet = stack.enter_context(models.use(replace(denoiser, patches=())))
            switch = stack.enter_context(_PatchSwitch(models, denoiser))
        else:
            unet = stack.enter_context(models.use(denoiser))
        controlnets = {recipe: stack.enter_context(models.use(_in_precision(recipe, denoiser))) for recipe in recipes}
        steering = Steering(controlnets, denoiser.noise, denoiser.latent_reduction)
        yield OpenedNetwork(unet, HalvingNetwork(UNetDenoiser(unet, steering)), denoiser, switch)


def _follows_schedule(patch: Patch) -> bool:
    return patch.at(0.0) != patch or patch.at(1.0) != patch


def _controlnets(prompts: Iterable[Conditioning | None], denoiser: Denoiser) -> list[ControlNet]:
    """The ControlNets of prompts, each once. Raises ModelMismatch for one of another family."""
    entries = [entry for prompt in prompts if prompt is not None for entry in prompt.entries]
    found = dict.fromkeys(control.network for entry in entries for control in entry.controls)
    for recipe in found:
        if recipe.family != denoiser.family:
            raise ModelMismatch(
                f"the ControlNet {recipe.file} is for the family {recipe.family}, but the denoiser {denoiser.file} is of "
                f"{denoiser.family}; use a ControlNet for {denoiser.family}"
            )
    return list(found)


def _in_precision(recipe: ControlNet, denoiser: Denoiser) -> ControlNet:
    """The ControlNet in the denoiser's precision, unless it asks for one of its own."""
    return replace(recipe, precision=denoiser.precision) if recipe.precision == "auto" else recipe


class _PatchSwitch:
    """Puts the patches of a share of the schedule on a network that is in use."""

    def __init__(self, models: ModelService, denoiser: Denoiser) -> None:
        self._models, self._denoiser = models, denoiser
        self._stack = ExitStack()
        self._active: tuple[Patch, ...] = ()

    def __enter__(self) -> _PatchSwitch:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def to(self, share: float) -> None:
        """Change to what applies there; nothing happens where that is what is on the network already."""
        active = tuple(now for patch in self._denoiser.patches if (now := patch.at(share)) is not None)
        if active == self._active:
            return
        self._stack.close()
        self._active = ()
        self._stack.enter_context(self._models.use(replace(self._denoiser, patches=active)))
        self._active = active


@dataclass(frozen=True, eq=False)
class OpenedNetwork:
    """A denoiser's network as guiders call it, for as long as it is open."""

    unet: Any  # diffusers is not typed
    """The module itself, for guiders that switch a part of it off during their own calls."""
    network: Network
    denoiser: Denoiser
    switch: _PatchSwitch | None = field(default=None, repr=False)

    unordered_tokens: ClassVar[bool] = True
    """Its cross-attention takes the tokens of a prompt in any order and number; see `guidance.predict`."""

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        """The network's prediction with the patches of this timestep."""
        if self.switch is not None:
            self.switch.to(schedule_share(timestep, self.denoiser.noise))
        return self.network(latents, timestep, conditioning)
