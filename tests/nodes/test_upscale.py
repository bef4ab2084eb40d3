"""An upscaler from its file to the larger picture, in a process with a model store of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphflow.app import App, build_app
from graphflow.graph import parse_document
from graphflow.models.modules.rrdbnet import RRDBNet, RRDBNetSizes
from graphflow.settings import Settings


@pytest.fixture(scope="module")
def network() -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(RRDBNetSizes(features=8, growth=4, blocks=1, doublings=1)).eval()


@pytest.fixture
def app(tmp_path: Path, network: RRDBNet) -> Iterator[App]:
    folder = tmp_path / "models" / "upscalers"
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / "tiny_x2.safetensors")
    app = build_app(Settings(home=tmp_path, device="cpu"))
    yield app
    app.close()


def run(app: App, file: str = "tiny_x2", **settings: Any) -> Any:
    nodes = {
        "picture": {"type": "core.solid_image@1", "values": {"color": "orange", "width": 40, "height": 24}},
        "upscaler": {"type": "core.load_upscaler@1", "values": {"file": file}},
        "upscale": {
            "type": "core.upscale_image@1",
            "values": settings,
            "links": {"image": "picture.image", "upscaler": "upscaler.upscaler"},
        },
    }
    text = json.dumps(
        {"graphflow": 1, "outputs": {"image": "upscale.image", "scale": "upscaler.scale"}, "nodes": nodes}
    )
    return app.run(app.prepare_document(parse_document(text, label="upscale.json")))


def test_a_picture_gets_larger_by_the_upscalers_factor(app: App, network: RRDBNet) -> None:
    report = run(app)
    assert report.status == "succeeded", report.failures
    assert report.outputs["scale"] == 2
    colour = torch.tensor([255, 165, 0]).view(1, 3, 1, 1) / 255
    with torch.no_grad():
        wanted = network(colour.expand(1, 3, 24, 40)).clamp(0, 1)
    torch.testing.assert_close(report.outputs["image"].pixels, wanted, atol=1e-5, rtol=1e-5)


def test_tiles_are_counted_and_too_much_overlap_is_told(app: App) -> None:
    assert run(app, tile=16, overlap=4).outputs["image"].pixels.shape == (1, 3, 48, 80)
    (failure,) = run(app, tile=16, overlap=9).failures
    assert "use at most 8" in failure.message


def test_a_file_that_is_no_upscaler_is_told(app: App, tmp_path: Path) -> None:
    save_file({"some.weight": torch.zeros(2)}, tmp_path / "models" / "upscalers" / "other.safetensors")
    (failure,) = run(app, "other").failures
    assert "fits no model family" in failure.message
    assert "graphflow[upscale]" in failure.message
