"""Print how well tiny-sd draws prompts that were not in its training, with the targets beside the figures.

python benchmarks/zoo_quality.py [--model FOLDER] [--prompts 256] [--steps 20] [--guidance 5]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from graphflow.zoo import MODELS
from graphflow.zoo.quality import TARGETS, Figure, measure


def main() -> int:
    """Measure one model folder; the exit status is 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, default=MODELS / "tiny-sd", help="diffusers folder (default: the bundled one)"
    )
    parser.add_argument(
        "--prompts", type=int, default=256, help="prompts with one object, and with two (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=20, help="sampling steps (default: %(default)s)")
    parser.add_argument("--guidance", type=float, default=5.0, help="classifier-free guidance (default: %(default)s)")
    asked = parser.parse_args()
    started = time.monotonic()
    figures = measure(asked.model, prompts=asked.prompts, steps=asked.steps, guidance=asked.guidance)
    print(f"{asked.model.name}: {asked.steps} steps, guidance {asked.guidance:g}, {time.monotonic() - started:.0f} s")
    print(f"{'what':42} {'figure':>8} {'target':>8} {'of':>5}")
    for figure in figures:
        print(_line(figure))
    return 0 if all(figure.reached for figure in figures) else 1


def _line(figure: Figure) -> str:
    target = TARGETS[figure.name]
    shown = (
        (f"{figure.value:.1f}", f"{target:.1f}") if "dB" in figure.name else (f"{figure.value:.1%}", f"{target:.0%}")
    )
    return f"{figure.name:42} {shown[0]:>8} {shown[1]:>8} {figure.pictures:>5}{'' if figure.reached else '  missed'}"


if __name__ == "__main__":
    sys.exit(main())
