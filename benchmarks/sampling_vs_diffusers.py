"""Step time and memory of sampling with UNets of true size, beside the pipelines of diffusers on the same machine.

    python benchmarks/sampling_vs_diffusers.py [--steps 4] [--threads N] [--size 256] [--clock wall|cpu] [--only sd15|sdxl]

Weights are random, so only times and bytes mean anything. graphflow runs `workflows/text_to_image.json` up to its sampler, diffusers its own
pipeline with the same sampler. Each has a process of its own; the processes take turns, one step at a time, so that other work on the machine
disturbs all of them alike. The fastest step after the first counts, for other work can only slow a step down, and each process's peak of resident
memory, pages of mapped files included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WORKFLOW = HERE.parent / "workflows" / "text_to_image.json"
PROMPT = "a red circle on sand"
SAME_PRECISION = 1.0
FP32_DEFAULT = 0.45
MEMORY = 0.6


class Turns:
    """A process's turns: it reports each step to the parent, and waits for its next turn."""

    def __init__(self) -> None:
        self._began = self._now()

    def step_done(self) -> None:
        """Report the step that ended, wait, and begin the next one."""
        wall, cpu = self._now()
        print(json.dumps({"wall": wall - self._began[0], "cpu": cpu - self._began[1]}), flush=True)
        sys.stdin.readline()
        self._began = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def run_graphflow(model: Path, *, precision: str, size: int, steps: int) -> None:
    """Sample through the application; every report of progress is a turn."""
    from graphflow.app import build_app
    from graphflow.engine.events import NodeProgress
    from graphflow.settings import Settings

    turns = Turns()

    def emit(event: Any) -> None:
        if isinstance(event, NodeProgress) and event.node == "sample" and event.value:
            turns.step_done()

    with tempfile.TemporaryDirectory() as home:
        app = build_app(Settings(home=Path(home)))
        given = {
            "checkpoint": model,
            "prompt": PROMPT,
            "precision": precision,
            "sampler": "euler",
            "schedule": "normal",
        }
        given |= {"width": size, "height": size, "steps": steps}
        graph = app.prepare(WORKFLOW, [f"{name}={value}" for name, value in given.items()])
        report = app.run(graph, targets=["sample"], emit=emit, use_cache=False)
        app.close()
    if report.status != "succeeded":
        sys.exit(f"the workflow {report.status}: {report}")


def run_diffusers(model: Path, *, precision: str, size: int, steps: int) -> None:
    """Sample with the pipeline as its documentation shows it; every callback after a step is a turn."""
    import torch
    from diffusers import DiffusionPipeline

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    pipeline = DiffusionPipeline.from_pretrained(model, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    turns = Turns()

    def callback(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        turns.step_done()
        return tensors

    pipeline(
        PROMPT, width=size, height=size, num_inference_steps=steps, guidance_scale=5.0, output_type="latent",
        generator=torch.Generator().manual_seed(0), callback_on_step_end=callback,
    )  # fmt: skip


def peak_bytes() -> int:
    """Most memory that this process had resident at once, pages of mapped files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell the peak of a process's memory (VmHWM)")


@dataclass
class Contestant:
    """One process, and what it reported."""

    title: str
    process: subprocess.Popen[str]
    steps: list[dict[str, float]]
    peak: int = 0

    def take_turn(self) -> None:
        """Let it make one step. Exits, telling what it said, if it fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._read()

    def _read(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.title} ended with status {self.process.wait()}")
        report = json.loads(line)
        if "peak" in report:
            self.peak = report["peak"]
        else:
            self.steps.append(report)

    def first_step(self) -> None:
        """Wait for the step that warms up, loading included."""
        self._read()

    def seconds(self, clock: str) -> float:
        """Of the fastest step, the first one left out: it warms up."""
        return min(step[clock] for step in self.steps[1:])


def contest(entries: dict[str, tuple[str, Path, str]], *, steps: int, size: int, threads: int) -> dict[str, Contestant]:
    """Run several processes, `title: (tool, model, precision)`, in turns. They load one after another."""
    contestants = {}
    for title, (tool, model, precision) in entries.items():
        command = [sys.executable, __file__, "--as", tool, "--model", str(model), "--precision", precision]
        command += ["--size", str(size), "--steps", str(steps)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(HERE.parent)},
        )
        contestants[title] = Contestant(title, process, [])
        contestants[title].first_step()
    for _ in range(steps):  # the last turn ends the process
        for contestant in contestants.values():
            contestant.take_turn()
    for contestant in contestants.values():
        contestant.process.wait()
    return contestants


def write_model(family: str, precision: str, folder: Path) -> Path:
    """A model of true size, made once; in a process of its own, so that this one stays small."""
    if not (folder / family / "model_index.json").exists():
        shutil.rmtree(folder / family, ignore_errors=True)
        script = str(HERE / "true_size_models.py")
        env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        subprocess.run([sys.executable, script, family, precision, str(folder)], check=True, env=env)
    return folder / family


def line(what: str, figure: float, target: float | None, unit: str = "") -> bool:
    """Print one row of the table; whether the target is met."""
    met = target is None or figure <= target
    goal = "" if target is None else f"<= {target:g}"
    print(f"{what:62} {figure:8.2f} {unit:4} {goal:>8}{'' if met else '  missed'}")
    return met


def compare_sd15(folder: Path, asked: argparse.Namespace) -> bool:
    """Stable Diffusion 1.5's UNet, from a checkpoint in fp32."""
    model = write_model("sd15", "fp32", folder)
    found = contest(
        {
            "graphflow bf16": ("graphflow", model, "bf16"),
            "diffusers bf16": ("diffusers", model, "bf16"),
            "diffusers fp32": ("diffusers", model, "fp32"),
        },
        steps=asked.steps + 1,
        size=asked.size,
        threads=asked.threads,
    )
    ours, same, default = found.values()
    for each in found.values():
        line(f"SD 1.5, {each.title}: seconds a step", each.seconds(asked.clock), None, "s")
        line(f"SD 1.5, {each.title}: peak resident memory", each.peak / 1e9, None, "GB")
    step = ours.seconds(asked.clock)
    met = [
        line("step time / diffusers in the same precision", step / same.seconds(asked.clock), SAME_PRECISION),
        line("step time / diffusers in fp32, its default", step / default.seconds(asked.clock), FP32_DEFAULT),
        line("peak memory / diffusers in fp32", ours.peak / default.peak, MEMORY),
    ]
    return all(met)


def complete_sdxl(folder: Path, asked: argparse.Namespace) -> bool:
    """Stable Diffusion XL's UNet, from a checkpoint in bf16: it completes in this machine's memory."""
    model = write_model("sdxl", "bf16", folder)
    entries = {"graphflow bf16": ("graphflow", model, "bf16")}
    ours = contest(entries, steps=3, size=asked.size, threads=asked.threads)["graphflow bf16"]
    line("SDXL, graphflow bf16: seconds a step", ours.seconds(asked.clock), None, "s")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return line("SDXL, graphflow bf16: peak resident memory", ours.peak / 1e9, round(memory, 1), "GB")


def main() -> int:
    """Print the table; the exit status is 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4, help="steps that count, after one that does not (%(default)s)")
    parser.add_argument("--size", type=int, default=256, help="sides of the picture in pixels (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch (%(default)s)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="seconds of the wall, or of the CPU")
    parser.add_argument("--only", choices=("sd15", "sdxl"), help="one of the two UNets")
    parser.add_argument("--models", type=Path, help="folder to keep the models in (default: a temporary one)")
    parser.add_argument("--as", dest="role", choices=("graphflow", "diffusers"), help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="bf16", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        sampling = {"graphflow": run_graphflow, "diffusers": run_diffusers}[asked.role]
        sampling(asked.model, precision=asked.precision, size=asked.size, steps=asked.steps)
        print(json.dumps({"peak": peak_bytes()}), flush=True)
        return 0
    temporary = asked.models is None
    folder = Path(tempfile.mkdtemp(prefix="graphflow-models-")) if temporary else asked.models
    try:
        print(f"{asked.size}x{asked.size}, guidance on, {asked.threads} threads, {asked.clock} clock")
        parts = {"sd15": compare_sd15, "sdxl": complete_sdxl}
        met = [part(folder, asked) for name, part in parts.items() if asked.only in (None, name)]
    finally:
        if temporary:
            shutil.rmtree(folder)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
