"""From a denoiser's recipe to the network that guiders call: what it needs is opened for a block, and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torch import Tensor

from graphflow.diffusion.denoise import UNetDenoiser
from graphflow.diffusion.guidance import Network, schedule_share
from graphflow.ports.control import Control
from graphflow.ports.model import Denoiser, Patch

if TYPE_CHECKING:
    from graphflow.authoring import ModelService


@contextmanager
def opened_network(models: ModelService, denoiser: Denoiser) -> Iterator[Network]:
    """The recipe's network, patched, for the block. Patches that follow the noise schedule change between two calls.

    Raises ModelError if a file is missing or does not fit, OutOfMemory if there is no room.
    """
    with ExitStack() as stack:
        if any(_follows_schedule(patch) for patch in denoiser.patches):
            steady = replace(denoiser, patches=())
            unet = stack.enter_context(models.use(steady))
            switch = stack.enter_context(_PatchSwitch(models, denoiser))
            yield ScheduledNetwork(UNetDenoiser(unet), denoiser, switch)
        else:
            yield UNetDenoiser(stack.enter_context(models.use(denoiser)))


def _follows_schedule(patch: Patch) -> bool:
    return patch.at(0.0) != patch or patch.at(1.0) != patch


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
class ScheduledNetwork:
    """A network whose patches follow the noise schedule."""

    network: Network
    denoiser: Denoiser
    switch: _PatchSwitch = field(repr=False)

    def __call__(
        self,
        latents: Tensor,
        timestep: Tensor,
        *,
        tokens: Tensor,
        pooled: Tensor | None,
        extra: dict[str, Tensor],
        controls: tuple[Control, ...] = (),
    ) -> Tensor:
        """The network's prediction with the patches of this timestep."""
        self.switch.to(schedule_share(timestep, self.denoiser.noise))
        return self.network(latents, timestep, tokens=tokens, pooled=pooled, extra=extra, controls=controls)
