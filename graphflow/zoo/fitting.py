"""One training loop for every network of the zoo: data-parallel processes of one thread each, against the clock.

Processes of one thread cope better with a machine that others use than threads that wait for each other.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from graphflow.zoo.recipes import TrainSettings

__all__ = ["Crew", "averaged_weights", "fit", "learning_rate", "run_crew", "save_atomically", "training_arguments"]

CHECKPOINT_SECONDS = 120.0
LOG_EVERY = 100
MEET_EVERY = 2.5
"""Seconds of steps of its own after which a worker's weights are averaged with the others' (local SGD, arXiv 1805.09767).

Waiting for each other at every step would cost half the speed as soon as anything else runs on the machine.
"""
NICENESS = 2
"""A little below what a person does on the same machine meanwhile."""


@dataclass(frozen=True)
class Crew:
    """This process among the workers that train together."""

    rank: int
    size: int

    def mean_(self, values: Tensor) -> Tensor:
        """Replace a tensor by its average over all workers."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size
        return values

    def agree(self, value: float) -> float:
        """The first worker's value, so that all take the same decision."""
        shared = torch.tensor([value], dtype=torch.float64)
        if self.size > 1:
            dist.broadcast(shared, src=0)
        return float(shared)


KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
}
"""Asks glibc to keep freed memory for the next step instead of giving it back to the system each time."""


def run_crew(work: Callable[..., None], workers: int, *args: object) -> None:
    """Call `work(crew, *args)` in every worker process and wait for all of them."""
    meeting = Path(tempfile.gettempdir()) / f"zoo-crew-{os.getpid()}-{time.monotonic_ns()}"
    os.environ.update(KEEP_MEMORY)
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_join_crew, args=(rank, work, workers, str(meeting), args)) for rank in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    meeting.unlink(missing_ok=True)
    if any(process.exitcode for process in processes):
        raise RuntimeError("a training worker failed; its traceback is above")


def _join_crew(rank: int, work: Callable[..., None], workers: int, meeting: str, args: tuple[object, ...]) -> None:
    os.nice(NICENESS)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=workers)
    try:
        work(Crew(rank, workers), *args)
    finally:
        dist.destroy_process_group()


def learning_rate(settings: TrainSettings, progress: float) -> float:
    """Rate at a share of the budget: a linear rise, then half a cosine down to 1 % of the highest rate."""
    if progress < settings.warmup:
        return settings.learning_rate * max(progress / settings.warmup, 0.01)
    rest = min((progress - settings.warmup) / (1.0 - settings.warmup), 1.0)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * rest)))


def fit(
    network: nn.Module, loss_at: Callable[[float], Tensor], settings: TrainSettings, crew: Crew, folder: Path
) -> None:
    """Train until the budget is used up; goes on from `folder/state.pt` where that exists.

    `loss_at(progress)` draws its own batch. Every two minutes, and at the end, the first worker writes the state, which holds
    the averaged weights under "ema", and it appends the loss to `folder/log.jsonl` as it goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=(0.9, 0.99), weight_decay=settings.weight_decay, fused=True)
    ema = {name: value.detach().clone() for name, value in network.state_dict().items()}
    step, used = 0, 0.0
    if (folder / "state.pt").exists():
        state = torch.load(folder / "state.pt", weights_only=True)
        network.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        ema, step, used = state["ema"], state["step"], state["seconds"]
    start = time.monotonic() - used
    saved, logged = time.monotonic(), step
    losses: list[Tensor] = []
    while (progress := crew.agree((time.monotonic() - start) / (settings.minutes * 60))) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, progress)
        until, taken = time.monotonic() + MEET_EVERY, 0
        while taken == 0 or time.monotonic() < until:
            loss = loss_at(progress)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
            taken += 1
        steps = _meet(parameters, taken, crew)
        step += steps
        _follow(ema, network, decay=min(settings.ema_decay, (1 + step) / (10 + step)) ** steps)
        if crew.rank > 0:
            losses.clear()
            continue
        seconds = time.monotonic() - start
        if step - logged >= LOG_EVERY:
            mean = float(torch.stack(losses).mean())
            _log(
                folder,
                {"step": step, "loss": round(mean, 6), "progress": round(progress, 4), "seconds": round(seconds)},
            )
            logged, losses = step, []
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save_state(folder, network, optimizer, ema, step=step, seconds=seconds)
            saved = time.monotonic()
    if crew.rank == 0:
        _save_state(folder, network, optimizer, ema, step=step, seconds=time.monotonic() - start)


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of the last checkpoint in a stage's folder."""
    weights: dict[str, Tensor] = torch.load(folder / "state.pt", weights_only=True)["ema"]
    return weights


def training_arguments(
    arguments: list[str] | None, description: str | None, *, minutes: float, scenes: int
) -> argparse.Namespace:
    """What the command line of a training on top of tiny-sd asks for: `out`, `minutes`, `workers`, `scenes`, `stage`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, logs and what is exported")
    parser.add_argument("--minutes", type=float, default=minutes, help="wall-clock budget (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=scenes, help="scenes to prepare (default: %(default)s)")
    parser.add_argument("--stage", choices=("train", "export", "all"), default="all")
    return parser.parse_args(arguments)


def save_atomically(value: object, path: Path) -> None:
    """Write with torch.save under another name first, so that a reader never meets half a file."""
    unfinished = path.with_suffix(".part")
    torch.save(value, unfinished)
    unfinished.replace(path)


@torch.no_grad()
def _meet(parameters: list[nn.Parameter], taken: int, crew: Crew) -> int:
    """Average the weights over the workers, each by the steps it took; returns the steps that the crew took together."""
    if crew.size == 1:
        return taken
    flat = torch.cat([*(p.flatten() for p in parameters), torch.ones(1)]) * taken
    dist.all_reduce(flat)
    total = round(float(flat[-1]))
    for parameter, mean in zip(
        parameters, torch.split(flat[:-1] / total, [p.numel() for p in parameters]), strict=True
    ):
        parameter.copy_(mean.view_as(parameter))
    return total


@torch.no_grad()
def _follow(ema: dict[str, Tensor], network: nn.Module, *, decay: float) -> None:
    averaged, current = [], []
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averaged.append(ema[name])
            current.append(value)
    torch._foreach_lerp_(averaged, current, 1.0 - decay)


def _save_state(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, ema: Mapping[str, Tensor], **rest: Any
) -> None:
    weights = network.state_dict()
    save_atomically(
        {"weights": weights, "optimizer": optimizer.state_dict(), "ema": dict(ema), **rest}, folder / "state.pt"
    )


def _log(folder: Path, entry: dict[str, float]) -> None:
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
