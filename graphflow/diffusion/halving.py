"""Batches that memory has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphflow.models.residency import is_out_of_memory

if TYPE_CHECKING:
    from graphflow.diffusion.guidance import BatchConditioning, Network


class HalvingNetwork:
    """A network that halves a batch for which memory runs out, and from then on asks for no more at once.

    Rows of a batch do not know of one another, so the prediction is the same within rounding.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._most: int | None = None

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        """The network's prediction. Raises what it raises for a single row."""

        def part(first: int, count: int) -> Tensor:
            rows = slice(first, first + count)
            return self._network(
                latents[rows], timestep if timestep.numel() == 1 else timestep[rows], conditioning.rows(rows)
            )

        batch = len(latents)
        while True:
            count = batch if self._most is None else min(self._most, batch)
            try:
                return torch.cat([part(first, count) for first in range(0, batch, count)])
            except Exception as error:
                if count == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the handler, where the error no longer holds on to what the call had in memory.
            self._most = (count + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
