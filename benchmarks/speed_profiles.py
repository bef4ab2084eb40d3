"""What speed profiles cost and give: time of sampling beside the exact one, and how many of tiny-sd's pictures are still right.

    python benchmarks/speed_profiles.py [--prompts 32] [--steps 20] [--sampler dpmpp_2m]

Prompts were not in the model's training; pictures are judged as `docs/zoo.md` says. CPU time, so that other work on the machine disturbs it less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from graphflow.app import App, build_app
from graphflow.engine.events import NodeFinished, NodeStarted
from graphflow.paths import bundled
from graphflow.settings import Settings
from graphflow.zoo.judge import judge
from graphflow.zoo.quality import held_out_prompts

PROFILES: dict[str, dict[str, Any]] = {
    "exact": {"profile": "exact"},
    "balanced": {"profile": "balanced"},
    **{
        f"fast, interval {interval}, depth {depth}": {
            "profile": "fast",
            "cache_interval": interval,
            "cache_depth": depth,
        }
        for interval, depth in ((2, 1), (3, 1), (4, 1), (3, 2))
    },
}


def workflow(folder: Path, values: dict[str, Any]) -> Path:
    """The first workflow, with a speed profile between model and sampler."""
    document = json.loads((bundled("workflows") / "text_to_image.json").read_text())
    speed = {"type": "core.speed_profile@1", "values": values, "links": {"denoiser": "checkpoint.denoiser"}}
    document["nodes"]["speed"] = speed
    document["nodes"]["sample"]["links"]["denoiser"] = "speed.denoiser"
    path = folder / "workflow.json"
    path.write_text(json.dumps(document))
    return path


def draw(app: App, path: Path, **params: object) -> tuple[np.ndarray[Any, Any], float]:
    """One picture `[height, width, 3]`, and the CPU seconds of its sampling. Exits if the run fails."""
    seconds = 0.0

    def emit(event: object) -> None:
        nonlocal seconds
        if isinstance(event, NodeStarted | NodeFinished) and event.node == "sample":
            seconds = time.process_time() - seconds

    graph = app.prepare(path, [f"{name}={value}" for name, value in params.items()])
    report = app.run(graph, emit=emit, use_cache=False)
    if report.status != "succeeded":
        raise SystemExit(f"the workflow {report.status}: {report.failures}")
    with Image.open(app.artifacts.path(report.outputs["image"].name)) as picture:
        return np.array(picture.convert("RGB")), seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=32, help="pictures for each profile (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="sampling steps (%(default)s)")
    parser.add_argument("--sampler", default="dpmpp_2m", help="sampler (%(default)s)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    prompts = held_out_prompts(asked.prompts, objects=1)
    exact: list[np.ndarray[Any, Any]] = []
    exact_seconds = 0.0
    print(f"{asked.sampler}, {asked.steps} steps, {asked.prompts} prompts")
    print(f"{'profile':26} {'time':>6} {'right':>7} {'mean change of a pixel, of 255':>32}")
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(Settings(home=Path(folder)))
        for title, values in PROFILES.items():
            path = workflow(Path(folder), values)
            drawn = [
                draw(app, path, prompt=prompt, seed=number, steps=asked.steps, sampler=asked.sampler)
                for number, prompt in enumerate(prompts)
            ]
            pictures, seconds = [picture for picture, _ in drawn], sum(seconds for _, seconds in drawn[1:])
            exact, exact_seconds = exact or pictures, exact_seconds or seconds
            right = sum(judge(picture, prompt).right for picture, prompt in zip(pictures, prompts, strict=True))
            pairs = zip(pictures, exact, strict=True)
            change = np.mean([np.abs(picture.astype(float) - before).mean() for picture, before in pairs])
            print(f"{title:26} {seconds / exact_seconds:6.2f} {right:4}/{asked.prompts} {change:32.2f}", flush=True)
        app.close()


if __name__ == "__main__":
    main()
