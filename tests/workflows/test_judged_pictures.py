"""A few cases of each table of benchmarks/judged_pictures.py, held to a little less than its targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graphflow.engine.report import RunReport
from graphflow.zoo.judged import Draw, Figure, judge_edges, judge_inpainting, judge_lora

CASES = 8


@pytest.fixture
def draw(run: Callable[..., RunReport], saved: Callable[[RunReport], NDArray[np.uint8]]) -> Draw:
    return lambda workflow, **values: saved(run(workflow, *(f"{name}={value}" for name, value in values.items())))


def values(figures: list[Figure]) -> list[float]:
    return [figure.value for figure in figures]


def test_inpainting_changes_the_inside_alone(draw: Draw, tmp_path: Path) -> None:
    change, right, *_ = values(judge_inpainting(draw, tmp_path, CASES))
    assert change <= 2
    assert right >= 0.7


def test_the_controlnet_keeps_edges(draw: Draw, tmp_path: Path) -> None:
    strict, without, near, near_without, *_ = values(judge_edges(draw, tmp_path, CASES))
    assert strict >= 0.35
    assert near >= 0.6
    assert without <= 0.1
    assert near_without <= 0.2


def test_the_lora_shows(draw: Draw) -> None:
    shown, without = values(judge_lora(draw, CASES))
    assert shown >= 0.75
    assert without == 0
