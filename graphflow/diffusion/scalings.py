"""Scalings: what stands between a network and a denoiser D(x, sigma) that any sampler in noise levels can call.

A scaling is a function of the noise level that gives the four coefficients of

    D(x, sigma) = skip * x + out * F(into * x, label)

where F is the network (Karras et al., arXiv 2206.00364, equation 7). Latents are `[batch, ...]` in exploding scale: clean + sigma * noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""`(noisy, sigma) -> clean`: latents `[batch, ...]` in exploding scale and noise levels `[batch]`, both floating."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Of one noise level or more; each of the level's shape."""

    skip: Tensor
    out: Tensor
    into: Tensor
    label: Tensor
    """What the network is told of the noise level."""


Scaling = Callable[[Tensor], Coefficients]
"""`sigma -> coefficients`."""


def edm_scaling(sigma: Tensor, *, data_deviation: float = 0.5) -> Coefficients:
    """Inputs and targets of deviation one, whatever the level (Karras et al., arXiv 2206.00364, table 1)."""
    total = sigma**2 + data_deviation**2
    return Coefficients(
        skip=data_deviation**2 / total,
        out=sigma * data_deviation / total**0.5,
        into=1 / total**0.5,
        label=0.25 * sigma.log(),
    )


def epsilon_scaling(sigma: Tensor) -> Coefficients:
    """The network predicts the noise (Ho et al., arXiv 2006.11239)."""
    return Coefficients(skip=torch.ones_like(sigma), out=-sigma, into=1 / (sigma**2 + 1) ** 0.5, label=sigma.clone())


def velocity_scaling(sigma: Tensor) -> Coefficients:
    """The network predicts the velocity (Salimans and Ho, arXiv 2202.00512)."""
    level = (sigma**2 + 1) ** 0.5
    return Coefficients(skip=1 / (sigma**2 + 1), out=-sigma / level, into=1 / level, label=sigma.clone())


def velocity_edm_scaling(sigma: Tensor) -> Coefficients:
    """Velocity with the label of EDM, as Stable Video Diffusion has it (Blattmann et al., arXiv 2311.15127)."""
    velocity = velocity_scaling(sigma)
    return Coefficients(velocity.skip, velocity.out, velocity.into, label=0.25 * sigma.log())


SCALINGS: dict[str, Scaling] = {
    "epsilon": epsilon_scaling,
    "v_prediction": velocity_scaling,
    "edm": edm_scaling,
    "edm_unit": partial(edm_scaling, data_deviation=1.0),
    "v_edm": velocity_edm_scaling,
}
"""Scalings by name; `epsilon` and `v_prediction` are the predictions of `NoiseSpec`."""


@dataclass(frozen=True, eq=False)
class ScaledDenoiser:
    """A network, given as `(inputs, labels) -> prediction`, as a `Denoise`."""

    network: Callable[[Tensor, Tensor], Tensor]
    scaling: Scaling

    def __call__(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The clean estimate for noise levels `[batch]`."""
        by = self.scaling(sigma)
        return _combine(self.network, noisy, by, by.label)


@dataclass(frozen=True, eq=False)
class TableDenoiser:
    """A network that knows the noise levels of a table only, as a `Denoise`; levels between them are moved to the nearest."""

    network: Callable[[Tensor, Tensor], Tensor]
    scaling: Scaling
    table: Tensor
    """`[levels]`, rising."""
    label_is_index: bool = True
    """The network is told the place in the table, as an integer, instead of the scaling's label."""

    def nearest(self, sigma: Tensor) -> Tensor:
        """Place in the table of the level nearest to each one: `[batch]`, int64; the lower place of two that are as near."""
        table = self.table.to(sigma.device)
        return (sigma[:, None] - table).abs().argmin(dim=1)

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Of the levels in the table that are nearest to each one."""
        by = self.scaling(self.table.to(sigma)[self.nearest(sigma)])
        # Models trained so exist: with the label of EDM, its logarithm is what is looked for among the levels.
        label = self.nearest(by.label) if self.label_is_index else by.label
        return Coefficients(by.skip, by.out, by.into, label)

    def __call__(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The clean estimate for noise levels `[batch]`."""
        by = self.coefficients(sigma)
        return _combine(self.network, noisy, by, by.label)


def _combine(network: Callable[[Tensor, Tensor], Tensor], noisy: Tensor, by: Coefficients, label: Tensor) -> Tensor:
    return over(by.skip, noisy) * noisy + over(by.out, noisy) * network(over(by.into, noisy) * noisy, label)


def over(values: Tensor, latents: Tensor) -> Tensor:
    """Values `[batch]`, or one for all, shaped to be multiplied with latents `[batch, ...]`."""
    return values.reshape(-1, *[1] * (latents.ndim - 1)) if values.ndim else values
