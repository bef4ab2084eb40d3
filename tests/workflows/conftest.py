from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graphflow import Image
from graphflow.app import App, build_app
from graphflow.diffusion import pil_from_pixels
from graphflow.engine.report import RunReport
from graphflow.paths import bundled
from graphflow.settings import Settings

Run = Callable[..., RunReport]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def workflows() -> Path:
    return bundled("workflows")


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One process with an empty home, as on a fresh machine."""
    app = build_app(Settings(home=tmp_path_factory.mktemp("home")))
    yield app
    app.close()


@pytest.fixture
def run(app: App, workflows: Path) -> Run:
    """Runs a bundled workflow, `run("text_to_image", "seed=8")`; it must succeed."""

    def run(name: str, *assignments: str, **options: Any) -> RunReport:
        report = app.run(app.prepare(workflows / f"{name}.json", assignments), **options)
        assert report.status == "succeeded", report.message or report.failures
        return report

    return run


@pytest.fixture
def saved(app: App) -> Callable[[RunReport], NDArray[np.uint8]]:
    """The picture that a run has saved, `[height, width, 3]`."""
    from PIL import Image as Pil

    def saved(report: RunReport) -> NDArray[np.uint8]:
        with Pil.open(app.artifacts.path(report.outputs["image"].name)) as picture:
            return np.array(picture.convert("RGB"))

    return saved


@pytest.fixture
def seen() -> Callable[[Image], NDArray[np.uint8]]:
    """The picture on a link, `[height, width, 3]`."""
    return lambda image: np.array(pil_from_pixels(image.pixels[0]))
