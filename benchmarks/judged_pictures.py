"""Print how often example workflows do what they promise on the bundled models, with the targets beside the figures.

python benchmarks/judged_pictures.py [--cases 64] [--only inpaint controlnet_canny lora batch_folder]

A run of batch_folder is killed after half of the pictures, and started again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from graphflow.app import App, build_app
from graphflow.paths import bundled
from graphflow.settings import Settings
from graphflow.zoo.judged import Figure, judge_edges, judge_inpainting, judge_lora
from graphflow.zoo.scenes import random_scene

WORKFLOWS = bundled("workflows")
TABLES = ("inpaint", "controlnet_canny", "lora", "batch_folder")


def main() -> int:
    """Judge the chosen workflows; the exit status is 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=64, help="pictures of each kind (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES, help="workflows to judge (default: all)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    reached = True
    print(f"{'what':46} {'figure':>8} {'target':>8} {'of':>5}")
    with tempfile.TemporaryDirectory() as place:
        for figure in judged(asked.only, asked.cases, Path(place)):
            print(_line(figure), flush=True)
            reached &= figure.reached
    return 0 if reached else 1


def judged(names: list[str], cases: int, folder: Path) -> Iterator[Figure]:
    """Figures of these workflows, made with a fresh home in `folder`."""
    app = build_app(Settings(home=folder / "home"))
    tables: dict[str, Callable[[], list[Figure]]] = {
        "inpaint": lambda: judge_inpainting(drawing(app), folder, cases),
        "controlnet_canny": lambda: judge_edges(drawing(app), folder, cases),
        "lora": lambda: judge_lora(drawing(app), cases),
        "batch_folder": lambda: judge_resuming(folder, cases),
    }
    for name in names:
        started = time.monotonic()
        yield from tables[name]()
        print(f"({name}: {time.monotonic() - started:.0f} s)", file=sys.stderr)
    app.close()


def drawing(app: App) -> Callable[..., NDArray[np.uint8]]:
    """Runs a bundled workflow as `graphflow run NAME.json --set ...` does."""

    def draw(workflow: str, **values: object) -> NDArray[np.uint8]:
        graph = app.prepare(WORKFLOWS / f"{workflow}.json", [f"{name}={value}" for name, value in values.items()])
        report = app.run(graph)
        if report.status != "succeeded":
            raise RuntimeError(f"{workflow} with {values}: {report.message or report.failures}")
        with Image.open(app.artifacts.path(report.outputs["image"].name)) as picture:
            return np.array(picture.convert("RGB"))

    return draw


def judge_resuming(folder: Path, cases: int) -> list[Figure]:
    """`batch_folder` in a process that is killed after half of the pictures, then in a second one."""
    pictures = folder / "batch"
    pictures.mkdir()
    rng = np.random.default_rng(4)
    for number in range(cases):
        Image.fromarray(random_scene(rng, objects=1).draw()).save(pictures / f"scene_{number:03}.png")
    home = folder / "batch_home"
    first = sampled_elements(pictures, home, stop_after=cases // 2)
    second = sampled_elements(pictures, home)
    kept = [path for path in (home / "artifacts").rglob("*.png") if path.stem.startswith("scene_")]
    return [
        Figure("batch_folder: sampled before it was killed", len(first), cases),
        Figure("batch_folder: sampled when started again", len(second), cases, most=cases - len(first)),
        Figure("batch_folder: sampled twice", len(set(first) & set(second)), cases, most=0),
        Figure("batch_folder: pictures in the end", len(kept), cases, least=cases, most=cases),
    ]


def sampled_elements(pictures: Path, home: Path, *, stop_after: int | None = None) -> list[int]:
    """Numbers of the pictures that a run in a process of its own sampled; it is killed when it has saved so many."""
    command = [sys.executable, "-m", "graphflow", "run", str(WORKFLOWS / "batch_folder.json"), "--json"]
    process = subprocess.Popen(
        [*command, "--set", f"folder={pictures}"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRAPHFLOW_HOME": str(home)},
    )
    assert process.stdout is not None
    sampled: list[int] = []
    saved = 0
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] != "node_finished":
            continue
        if event["node"] == "sample":
            sampled.append(event["element"])
        saved += event["node"] == "save"
        if saved == stop_after:
            process.kill()
            break
    process.communicate()
    return sampled


def _line(figure: Figure) -> str:
    target = "" if figure.least is None else f">= {figure.least:g}"
    target = target if figure.most is None else f"<= {figure.most:g}" if figure.least is None else f"{figure.most:g}"
    value = f"{figure.value:.3f}" if isinstance(figure.value, float) else str(figure.value)
    return f"{figure.name:46} {value:>8} {target:>8} {figure.cases:>5}{'' if figure.reached else '  missed'}"


if __name__ == "__main__":
    sys.exit(main())
