"""How fast each sampler comes to the exact result, on data whose best denoiser is known: every value is normal, mean 0.3, deviation 0.6.

    python benchmarks/sampler_convergence.py [--folder docs/images]

Prints the errors by calls of the denoiser, and draws them as SVG. Samplers without noise are compared with the exact way of each latent, root mean
square over the deviation of the data; samplers with noise by the distance between the distribution of their results and that of the data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from math import log10, sqrt
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphflow.diffusion import (
    SAMPLERS,
    SCHEDULE_NAMES,
    Sampler,
    ScheduleName,
    make_schedule,
    sample,
    sigma_table,
    start_latents,
)
from graphflow.diffusion.schedules import Schedule
from graphflow.ports import NoiseSpec

NOISE = NoiseSpec()
MEAN, DEVIATION = 0.3, 0.6
STEPS = (5, 10, 20, 40, 80, 160)
TABLE = sigma_table(NOISE).double().numpy()
COLOURS = (
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22",
)  # fmt: skip

Points = list[tuple[int, float]]
"""Calls of the denoiser, and the error after them."""


@dataclass
class Gaussian:
    """The best denoiser, predicting noise as a network does; it counts its calls."""

    calls: int = 0

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """The noise in latents of preserving scale."""
        self.calls += 1
        sigma = float(np.exp(np.interp(float(timestep), np.arange(len(TABLE)), np.log(TABLE))))
        level = sqrt(1 + sigma**2)
        noisy = latents * level
        clean = MEAN + DEVIATION**2 / (DEVIATION**2 + sigma**2) * (noisy - MEAN)
        return (noisy - clean) / sigma


def run(schedule: Schedule, *, side: int) -> tuple[Tensor, Tensor, int]:
    """What the sampler begins and ends with, and how often it called the denoiser."""
    denoiser, generator = Gaussian(), torch.Generator().manual_seed(0)
    noise = torch.randn(1, 4, side, side, generator=generator)
    start = start_latents(MEAN + DEVIATION * torch.randn(noise.shape, generator=generator), noise, schedule)
    return start, sample(denoiser, start, schedule, generator=generator), denoiser.calls


def error_of_the_way(schedule: Schedule, start: Tensor, result: Tensor) -> float:
    """Root mean square distance from the exact end of each latent's way without noise, over the deviation of the data."""
    first, last = schedule.sigma(0), float(schedule.sigmas[-1])
    scales = [sqrt(1 + level**2) if schedule.sampler.scale == "preserving" else 1.0 for level in (first, last)]
    end = MEAN + (start * scales[0] - MEAN) * sqrt((DEVIATION**2 + last**2) / (DEVIATION**2 + first**2))
    return float((result * scales[1] - end).double().square().mean().sqrt()) / DEVIATION


def error_of_the_distribution(schedule: Schedule, start: Tensor, result: Tensor) -> float:
    """Wasserstein distance between the normal distributions of results and data, over the deviation of the data."""
    values = result.double()
    return sqrt(float(values.mean() - MEAN) ** 2 + float(values.std() - DEVIATION) ** 2) / DEVIATION


def converge(
    sampler: str, kind: ScheduleName, *, side: int, error: Callable[[Schedule, Tensor, Tensor], float]
) -> Points:
    """The errors of one sampler on one schedule."""
    points = []
    for steps in STEPS:
        schedule = make_schedule(NOISE, sampler, steps=steps, kind=kind)
        start, result, calls = run(schedule, side=side)
        points.append((calls, error(schedule, start, result)))
    return points


def _kind_with_noise(sampler: Sampler) -> str:
    """The schedule on which samplers with noise are compared: the multistep ones want even steps in the logarithm."""
    return "exponential" if "exponential" in sampler.schedules else "normal"


def chart(title: str, lines: dict[str, Points], *, lowest: float) -> str:
    """A log-log chart as SVG: calls to the right, error upwards; errors below `lowest` lie on the axis."""
    width, height, left, top = 560, 340, 56, 34
    most = max(calls for points in lines.values() for calls, _ in points)
    span_x, floor_y = log10(most / STEPS[0]), log10(lowest)

    def x(calls: int) -> float:
        return left + width * log10(calls / STEPS[0]) / span_x

    def y(error: float) -> float:
        return top + height * (1 - (log10(min(max(error, lowest), 1.0)) - floor_y) / -floor_y)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{top + height + 44}" '
        'font-family="sans-serif" font-size="12" fill="#444">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="18" font-size="14" fill="#111">{escape(title)}</text>',
        f'<text x="{left + width / 2}" y="{top + height + 36}" text-anchor="middle">calls of the denoiser</text>',
    ]
    for power in range(int(floor_y), 1):
        at = y(10.0**power)
        drawn.append(f'<path d="M{left} {at:.1f}H{left + width}" stroke="#ddd"/>')
        drawn.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">1e{power}</text>')
    for calls in (step for step in STEPS if step <= most):
        drawn.append(f'<path d="M{x(calls):.1f} {top}V{top + height}" stroke="#eee"/>')
        drawn.append(f'<text x="{x(calls):.1f}" y="{top + height + 16}" text-anchor="middle">{calls}</text>')
    for index, (name, points) in enumerate(sorted(lines.items(), key=lambda line: -line[1][-1][1])):
        colour, dash = COLOURS[index % len(COLOURS)], "" if index < len(COLOURS) else ' stroke-dasharray="5 3"'
        path = "L".join(f"{x(calls):.1f} {y(error):.1f}" for calls, error in points)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        key = top + 14 + 18 * index
        drawn.append(f'<path d="M{left + width + 12} {key - 4}h20" stroke="{colour}" stroke-width="2.5"{dash}/>')
        drawn.append(f'<text x="{left + width + 38}" y="{key}">{escape(name)}</text>')
    return "\n".join([*drawn, "</svg>"]) + "\n"


def show(title: str, lines: dict[str, Points]) -> None:
    """Print the errors, the best last."""
    print(f"\n{title}: calls, error")
    for name, points in sorted(lines.items(), key=lambda line: -line[1][-1][1]):
        print(f"  {name:20} " + "  ".join(f"{calls:4} {error:.1e}" for calls, error in points))


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write the charts (default: nowhere)")
    folder: Path | None = parser.parse_args().folder
    # A consistency model goes to the end in each step, which no other denoiser can.
    samplers = [sampler for sampler in SAMPLERS.values() if sampler.name != "lcm"]
    charts = {
        "samplers_without_noise": (
            "Samplers without noise, normal schedule: distance from the exact way",
            {
                sampler.name: converge(sampler.name, "normal", side=8, error=error_of_the_way)
                for sampler in samplers
                if not sampler.stochastic
            },
            1e-6,
        ),
        "samplers_with_noise": (
            "Samplers with noise, exponential schedule (ddpm: normal): distance from the data's distribution",
            {
                sampler.name: converge(
                    sampler.name, _kind_with_noise(sampler), side=192, error=error_of_the_distribution
                )
                for sampler in samplers
                if sampler.stochastic
            },
            1e-3,
        ),
        "schedules": (
            "Schedules, sampler heun: distance from the exact way",
            {kind: converge("heun", kind, side=8, error=error_of_the_way) for kind in SCHEDULE_NAMES},
            1e-6,
        ),
    }
    for name, (title, lines, lowest) in charts.items():
        show(title, lines)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.svg").write_text(chart(title, lines, lowest=lowest), encoding="utf-8")


if __name__ == "__main__":
    main()
