from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphflow.diffusion import SCALINGS, ScaledDenoiser, TableDenoiser, edm_scaling, edm_weight, velocity_weight
from graphflow.diffusion.scalings import epsilon_scaling, velocity_scaling
from graphflow.diffusion.training_noise import epsilon_weight, even_weight, lognormal_sigmas

SIGMA = torch.tensor([0.01, 0.5, 3.0, 80.0], dtype=torch.float64)
CLEAN = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(4, 2)
NOISE = torch.linspace(2, -1, 8, dtype=torch.float64).reshape(4, 2)
NOISY = CLEAN + SIGMA[:, None] * NOISE


@pytest.mark.parametrize("name", SCALINGS)
def test_a_network_that_is_right_gives_the_clean_latents(name: str) -> None:
    by = SCALINGS[name](SIGMA)
    right = (CLEAN - by.skip[:, None] * NOISY) / by.out[:, None]
    denoise = ScaledDenoiser(lambda inputs, label: right, SCALINGS[name])
    torch.testing.assert_close(denoise(NOISY, SIGMA), CLEAN)


def test_noise_and_velocity_are_what_the_networks_predict() -> None:
    by = epsilon_scaling(SIGMA)
    torch.testing.assert_close((CLEAN - by.skip[:, None] * NOISY) / by.out[:, None], NOISE)
    level = (1 + SIGMA**2).sqrt()[:, None]
    by = velocity_scaling(SIGMA)
    velocity = (NOISE - SIGMA[:, None] * CLEAN) / level
    torch.testing.assert_close((CLEAN - by.skip[:, None] * NOISY) / by.out[:, None], velocity)


def test_edm_networks_see_and_give_deviation_one_at_every_level() -> None:
    by = edm_scaling(SIGMA, data_deviation=0.5)
    torch.testing.assert_close(by.into**2 * (SIGMA**2 + 0.25), torch.ones_like(SIGMA))
    target = (1 - by.skip) ** 2 * 0.25 + by.skip**2 * SIGMA**2
    torch.testing.assert_close(target, by.out**2)


def test_loss_weights_undo_what_the_scaling_did_to_the_error() -> None:
    torch.testing.assert_close(edm_weight(SIGMA) * edm_scaling(SIGMA).out ** 2, torch.ones_like(SIGMA))
    torch.testing.assert_close(epsilon_weight(SIGMA) * epsilon_scaling(SIGMA).out ** 2, torch.ones_like(SIGMA))
    torch.testing.assert_close(velocity_weight(SIGMA) * velocity_scaling(SIGMA).out ** 2, torch.ones_like(SIGMA))
    assert even_weight(SIGMA).unique().tolist() == [1.0]


def test_training_levels_are_normal_in_the_logarithm() -> None:
    normal = torch.tensor([-1.0, 0.0, 1.0])
    torch.testing.assert_close(lognormal_sigmas(normal, mean=0.7, deviation=1.6).log(), torch.tensor([-0.9, 0.7, 2.3]))


def test_a_network_of_a_table_is_told_places_and_sees_levels_of_the_table() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def network(inputs: Tensor, label: Tensor) -> Tensor:
        seen.append((inputs, label))
        return torch.zeros_like(inputs)

    table = torch.tensor([0.1, 1.0, 10.0])
    denoise = TableDenoiser(network, epsilon_scaling, table)
    noisy = torch.ones(4, 2)
    denoise(noisy, torch.tensor([0.0, 0.9, 5.6, 99.0]))
    inputs, label = seen[0]
    assert label.tolist() == [0, 1, 2, 2]
    assert label.dtype == torch.int64
    torch.testing.assert_close(inputs[:, 0], 1 / (1 + table[label] ** 2).sqrt())
    TableDenoiser(network, epsilon_scaling, table, label_is_index=False)(noisy, torch.full((4,), 0.9))
    assert seen[1][1].tolist() == [1.0] * 4
