from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphflow.packs.builtin.model.speed_profile import SpeedProfile
from PIL import Image as Pil
from pydantic import ValidationError

from graphflow import AttentionPatch, BlockCachePatch, CompilePatch, Denoiser, FusionPatch, LoraPatch
from graphflow.app import App, build_app
from graphflow.engine.report import RunReport
from graphflow.paths import bundled
from graphflow.settings import Settings
from graphflow.testing import FakeContext, run_node
from graphflow.zoo.judge import judge

PROMPT = "a red circle on sand"
ROUNDING = (FusionPatch(), CompilePatch())


def patches(node: SpeedProfile) -> tuple[Any, ...]:
    result: tuple[Any, ...] = run_node(node, FakeContext())["denoiser"].patches
    return result


def test_a_profile_is_a_set_of_patches(denoiser: Denoiser) -> None:
    assert patches(SpeedProfile(denoiser=denoiser, profile="exact")) == ()
    assert patches(SpeedProfile(denoiser=denoiser)) == ROUNDING
    fast = SpeedProfile(denoiser=denoiser, profile="fast", cache_interval=2, cache_depth=2)
    assert patches(fast) == (*ROUNDING, BlockCachePatch(2, 2))


def test_other_patches_stay_and_the_last_profile_counts(denoiser: Denoiser) -> None:
    lora = LoraPatch("style", "f1")
    fast = run_node(SpeedProfile(denoiser=denoiser.patched(lora), profile="fast"), FakeContext())["denoiser"]
    assert patches(SpeedProfile(denoiser=fast, profile="balanced")) == (lora, *ROUNDING)
    assert patches(SpeedProfile(denoiser=fast, profile="exact")) == (lora,)


def test_attention_is_left_to_the_settings_unless_chosen(denoiser: Denoiser) -> None:
    assert patches(SpeedProfile(denoiser=denoiser, profile="exact", attention="flash")) == (AttentionPatch("flash"),)


@pytest.mark.parametrize(
    "wrong", [{"profile": "fastest"}, {"attention": "magic"}, {"cache_interval": 1}, {"cache_depth": 0}]
)
def test_what_makes_no_sense_is_refused(denoiser: Denoiser, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SpeedProfile(denoiser=denoiser, **wrong)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = build_app(Settings(home=tmp_path_factory.mktemp("home")))
    yield made
    made.close()


def drawn(app: App, folder: Path, **values: Any) -> RunReport:
    """A run of the first workflow with this node between model and sampler."""
    document = json.loads((bundled("workflows") / "text_to_image.json").read_text())
    speed = {"type": "core.speed_profile@1", "values": values, "links": {"denoiser": "checkpoint.denoiser"}}
    document["nodes"] |= {"speed": speed}
    document["nodes"]["sample"]["links"]["denoiser"] = "speed.denoiser"
    path = folder / "fast.json"
    path.write_text(json.dumps(document))
    return app.run(app.prepare(path, [f"prompt={PROMPT}"]))


def pixels(app: App, report: RunReport) -> np.ndarray[Any, np.dtype[np.uint8]]:
    assert report.status == "succeeded", report.failures
    with Pil.open(app.artifacts.path(report.outputs["image"].name)) as picture:
        return np.array(picture.convert("RGB"))


def test_a_fast_picture_is_another_one_and_right(app: App, tmp_path: Path) -> None:
    exact = pixels(app, drawn(app, tmp_path, profile="exact"))
    fast = pixels(app, drawn(app, tmp_path, profile="fast"))
    assert judge(exact, PROMPT).right
    assert judge(fast, PROMPT).right
    difference = np.abs(fast.astype(float) - exact)
    assert 0 < difference.mean() < 12
    again = drawn(app, tmp_path, profile="exact")
    assert again.executed == 0
    assert (pixels(app, again) == exact).all()


def test_a_backend_for_gpus_fails_with_one_clear_message(app: App, tmp_path: Path) -> None:
    report = drawn(app, tmp_path, attention="sage")
    if app.models.device.type == "cuda":
        pytest.skip("a GPU is here")
    (failure,) = report.failures
    assert failure.node == "sample"
    assert failure.message.startswith('the attention backend "sage" runs on NVIDIA GPUs only')
    assert failure.traceback == ""
