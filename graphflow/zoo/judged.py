"""How often the example workflows do what they promise, on the bundled models: each figure with the target that it is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graphflow.zoo.judge import judge
from graphflow.zoo.trials import (
    changed_outside,
    drawn_inside,
    edge_overlap,
    edge_trials,
    heart_prompts,
    inpaint_trials,
    shows_heart,
)

__all__ = ["Draw", "Figure", "judge_edges", "judge_inpainting", "judge_lora"]

Picture = NDArray[np.uint8]
FEATHER: Final = 4
"""Pixels over which an inpainted region fades into the picture."""


class Draw(Protocol):
    """Runs a workflow with some of its parameters set, and gives the picture that it saved."""

    def __call__(self, workflow: str, **values: object) -> Picture:
        """The picture `[height, width, 3]`."""


@dataclass(frozen=True)
class Figure:
    """One measured value, and the bound that it must keep."""

    name: str
    value: float
    cases: int
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the value keeps its bound; true where there is none."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


def judge_inpainting(draw: Draw, folder: Path, cases: int) -> list[Figure]:
    """`inpaint` on scenes whose pictures are written to `folder`."""
    changes, right = [], []
    for number, trial in enumerate(inpaint_trials(cases)):
        before = trial.scene.draw()
        values = {"prompt": trial.prompt, "feather": FEATHER, "seed": number, **trial.sides()}
        after = draw("inpaint", image=_written(before, folder / f"inpaint_{number}.png"), **values)
        changes.append(changed_outside(before, after, trial.box, feather=FEATHER))
        right.append(drawn_inside(after, trial))
    return [
        Figure("inpaint: largest change outside, of 255", max(changes), cases, most=2),
        Figure("inpaint: draws what was asked inside", _share(right), cases, least=0.8),
        Figure("inpaint: in place of an object", _share(right[::2]), len(right[::2])),
        Figure("inpaint: on free ground", _share(right[1::2]), len(right[1::2])),
    ]


def judge_edges(draw: Draw, folder: Path, cases: int) -> list[Figure]:
    """`controlnet_canny` on scenes whose pictures are written to `folder`, with the ControlNet and without."""
    overlaps: dict[float, list[tuple[float, float, bool]]] = {1.0: [], 0.0: []}
    for number, trial in enumerate(edge_trials(cases)):
        source = trial.scene.draw()
        path = _written(source, folder / f"edges_{number}.png")
        for strength, seen in overlaps.items():
            picture = draw("controlnet_canny", image=path, prompt=trial.prompt, seed=number, strength=strength)
            obeyed = judge(picture, trial.prompt).bound
            seen.append((edge_overlap(source, picture), edge_overlap(source, picture, slack=1), obeyed))
    (strict, near, bound), (without, near_without, bound_without) = (
        np.mean(seen, axis=0).tolist() for seen in overlaps.values()
    )
    return [
        Figure("controlnet_canny: IoU of edges", strict, cases, least=0.5),
        Figure("controlnet_canny: the same without it", without, cases),
        Figure("controlnet_canny: IoU of edges 3 pixels wide", near, cases),
        Figure("controlnet_canny: the same without it", near_without, cases),
        Figure("controlnet_canny: prompt's shapes and colours", bound, cases),
        Figure("controlnet_canny: the same without it", bound_without, cases),
    ]


def judge_lora(draw: Draw, cases: int) -> list[Figure]:
    """`lora` with the LoRA for hearts and without it."""
    prompts = heart_prompts(cases)
    shares = [
        _share(
            [
                shows_heart(draw("lora", prompt=prompt, seed=number, lora_strength=strength), prompt)
                for number, prompt in enumerate(prompts)
            ]
        )
        for strength in (1, 0)
    ]
    return [
        Figure("lora: hearts with it", shares[0], cases, least=0.8),
        Figure("lora: hearts without it", shares[1], cases, most=0.05),
    ]


def _written(picture: Picture, path: Path) -> Path:
    Image.fromarray(picture).save(path)
    return path


def _share(found: Sequence[bool]) -> float:
    return sum(found) / max(len(found), 1)
