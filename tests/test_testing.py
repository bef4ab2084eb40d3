"""The doubles that packs are tested with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphflow import InputFileError, LongText, ModelRecipe, Node, NodeContext, RunCancelled, node
from graphflow.authoring.context import NodeContext as ContextProtocol
from graphflow.errors import ModelNotFound
from graphflow.testing import FakeContext, run_node


@node("count")
class Count(Node):
    """Count to a number, showing each one."""

    limit: int = 3

    def run(self, ctx: NodeContext) -> int:
        total = 0
        for value in ctx.progress(range(self.limit), "count"):
            total += value
            ctx.preview(lambda shown=value: f"at {shown}")
        return total


@node("wrong")
class Wrong(Node):
    """Return what was not promised."""

    def run(self, ctx: NodeContext) -> int:
        return "three"  # type: ignore[return-value]


@node("fetch", lane="io")
class Fetch(Node):
    """Answer later."""

    text: LongText = ""

    async def run(self, ctx: NodeContext) -> str:
        return self.text.upper()


def test_progress_and_previews_are_recorded() -> None:
    ctx = FakeContext()
    assert run_node(Count(limit=3), ctx) == {"int": 3}
    assert [(report.done, report.total) for report in ctx.progress_reports] == [(1, 3), (2, 3), (3, 3)]
    assert ctx.previews == ["at 0", "at 1", "at 2"]


def test_unwatched_previews_are_not_made() -> None:
    ctx = FakeContext(watched=False)
    run_node(Count(), ctx)
    assert ctx.previews == []


def test_cancelled_node_stops_at_the_next_item() -> None:
    ctx = FakeContext(cancel_after=2)
    with pytest.raises(RunCancelled):
        run_node(Count(limit=10), ctx)
    assert len(ctx.progress_reports) == 2


def test_result_is_checked_against_the_declaration() -> None:
    with pytest.raises(TypeError, match="declared to return int"):
        run_node(Wrong())


def test_async_nodes_run() -> None:
    assert run_node(Fetch(text="fox")) == {"str": "FOX"}


def test_artifacts_are_written_and_named_by_content(tmp_path: Path) -> None:
    ctx = FakeContext(tmp_path)
    first = ctx.artifacts.save(b"fox", suffix=".txt", media_type="text/plain", prefix="notes")
    second = ctx.artifacts.save(b"fox", suffix=".txt", media_type="text/plain", prefix="notes")
    picture = ctx.artifacts.save_image(b"png", suffix=".png", media_type="image/png", width=4, height=2)
    assert first.name == second.name
    assert ctx.artifacts.path(first).read_bytes() == b"fox"
    assert (picture.width, picture.height, picture.size) == (4, 2, 3)
    assert ctx.artifacts.input_path(first.name) == ctx.artifacts.path(first)
    with pytest.raises(InputFileError, match=r"owl\.png"):
        ctx.artifacts.input_path("owl.png")


def test_models_are_those_that_the_test_gave() -> None:
    recipe = ModelRecipe(file="tiny", fingerprint="0", family="sd15", part="unet")
    ctx = FakeContext(models={"unet": "a module"})
    with ctx.models.use(recipe) as module:
        assert module == "a module"
    assert ctx.models.used == [recipe]
    with (
        pytest.raises(ModelNotFound, match="vae"),
        ctx.models.use(ModelRecipe(file="tiny", fingerprint="0", family="sd15", part="vae")),
    ):
        pass


def test_generator_draws_the_same_noise_for_a_seed() -> None:
    import torch

    ctx = FakeContext()
    draws = [torch.randn(4, generator=ctx.generator(7)) for _ in range(2)]
    assert torch.equal(*draws)
    assert ctx.device.type == "cpu"


def test_double_is_a_context() -> None:
    ctx: ContextProtocol = FakeContext()
    missing: Any = [name for name in dir(ContextProtocol) if not name.startswith("_") and not hasattr(ctx, name)]
    assert missing == []


def test_importing_the_doubles_does_not_import_torch() -> None:
    code = "import sys, graphflow.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
