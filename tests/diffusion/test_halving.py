from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import CfgGuider, UNetDenoiser
from graphflow.diffusion.guidance import BatchConditioning, Network, predict
from graphflow.diffusion.halving import HalvingNetwork
from graphflow.ports import Conditioning, Control, ControlNet, NoiseSpec

NOON = torch.tensor(500)


class Cramped:
    """A network on a device that has room for a few rows at once only."""

    def __init__(self, network: Network, *, room: int, error: type[Exception] = torch.OutOfMemoryError) -> None:
        self.network, self.room, self.error = network, room, error
        self.asked: list[int] = []

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        self.asked.append(len(latents))
        if len(latents) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 20.00 GiB")
        return self.network(latents, timestep, conditioning)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_a_batch_that_memory_has_no_room_for_gives_the_same_in_parts(
    unet: Any, prompts: tuple[Conditioning, Conditioning], error: type[Exception]
) -> None:
    noise = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    whole = UNetDenoiser(unet)
    cramped = Cramped(whole, room=2, error=error)
    guiders = [CfgGuider(each, *prompts, 4.0, NoiseSpec()) for each in (HalvingNetwork(cramped), whole)]
    first, expected = (guider(noise, NOON) for guider in guiders)
    torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-5)
    assert cramped.asked == [6, 3, 2, 2, 2]
    guiders[0](noise, NOON)
    assert cramped.asked[5:] == [2, 2, 2]


def test_each_part_gets_its_own_rows_of_everything() -> None:
    network = ControlNet("edges", "0", "sd15", "controlnet")
    seen: list[tuple[Any, ...]] = []

    def recording(latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        tokens, pooled, sizes = conditioning.tokens, conditioning.pooled, conditioning.extra["time_ids"]
        assert pooled is not None
        told = tuple(tensor[:, 0].int().tolist() for tensor in (tokens[..., 0], pooled, sizes))
        seen.append((latents[:, 0, 0, 0].int().tolist(), *told, [len(row) for row in conditioning.controls]))
        return latents

    rows = torch.arange(4.0)
    control = Control(network, torch.zeros(1, 3, 8, 8))
    result = HalvingNetwork(Cramped(recording, room=2))(
        rows.reshape(4, 1, 1, 1),
        NOON,
        BatchConditioning(
            rows.reshape(4, 1, 1),
            rows[:, None],
            {"time_ids": rows[:, None]},
            [(), (control,), (), (control, control)],
        ),
    )
    assert result.flatten().tolist() == [0, 1, 2, 3]
    assert seen == [(*[[0, 1]] * 4, [0, 1]), (*[[2, 3]] * 4, [0, 2])]


def test_no_room_for_a_single_row_is_an_error(unet: Any, prompts: tuple[Conditioning, Conditioning]) -> None:
    cramped = Cramped(UNetDenoiser(unet), room=0)
    with pytest.raises(torch.OutOfMemoryError):
        predict(HalvingNetwork(cramped), torch.zeros(3, 4, 8, 8), NOON, prompts[0].entries)
    assert cramped.asked == [3, 2, 1]


def test_other_errors_are_not_taken_for_a_lack_of_memory(prompts: tuple[Conditioning, Conditioning]) -> None:
    def broken(*given: Tensor, **named: object) -> Tensor:
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        predict(HalvingNetwork(broken), torch.zeros(4, 4, 8, 8), NOON, prompts[0].entries)
