"""Lanes: io nodes overlap, device nodes do not."""

from __future__ import annotations

import time
from typing import Any

import pytest


@pytest.mark.parametrize("kind", ["sleep", "asleep"])
def test_independent_io_nodes_overlap(engine: Any, kind: str) -> None:
    graph = engine.graph(
        {"a": (kind, {"seconds": 1.0, "name": "a"}), "b": (kind, {"seconds": 1.0, "name": "b"})},
        outputs={"a": "a.str", "b": "b.str"},
    )
    started = time.monotonic()
    run = engine.run(graph)
    assert run.report.outputs == {"a": "a", "b": "b"}
    assert time.monotonic() - started < 1.8


def test_an_io_node_overlaps_device_work(engine: Any) -> None:
    graph = engine.graph(
        {"io": ("sleep", {"seconds": 0.6, "name": "a"}), "device": ("steps", {"n": 6, "seconds": 0.1})},
        outputs={"a": "io.str", "b": "device.int"},
    )
    started = time.monotonic()
    assert engine.run(graph).report.outputs == {"a": "a", "b": 6}
    assert time.monotonic() - started < 1.1
