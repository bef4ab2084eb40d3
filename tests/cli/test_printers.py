"""How runs are told of."""

from __future__ import annotations

import pytest

from graphflow.cli.printers import EventFeed, JsonPrinter, TextPrinter, failure_line, plain_outputs, summary
from graphflow.cli.progress import ProgressBars
from graphflow.engine.events import (
    Event,
    NodeFailed,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    RunFinished,
)


def finished(**parts: object) -> RunFinished:
    defaults: dict[str, object] = {"status": "succeeded", "outputs": {}, "executed": 6, "cached": 2, "seconds": 3.14}
    return RunFinished(run="r", time=0.0, **{**defaults, **parts})  # type: ignore[arg-type]


def test_only_plain_outputs_are_printed() -> None:
    outputs = {"score": 0.5, "caption": "a fox", "lines": "a\nb", "names": ["a", "b"], "image": {"type": "Image"}}
    assert plain_outputs(outputs) == ["score: 0.5", "caption: a fox", 'lines: "a\\nb"', 'names: ["a", "b"]']


def test_the_summary_is_short() -> None:
    assert summary(finished()) == "6 nodes ran, 2 cached, 3.1 s"
    assert summary(finished(status="cancelled", executed=1)) == "cancelled: 1 node ran, 2 cached, 3.1 s"


def test_failures_name_node_type_and_element() -> None:
    failure = NodeFailed(run="r", time=0.0, node="decode", type="core.decode", message="no luck", element=3)
    assert failure_line(failure) == 'node "decode" (core.decode), element 3 failed: no luck'


def test_many_failures_are_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TextPrinter()
    for element in range(50):
        printer.event(
            NodeFailed(run="r", time=0.0, node="decode", type="core.decode", message="no luck", element=element)
        )
    printer.event(finished(status="failed"))
    printer.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 22
    assert lines[-2:] == ["... and 30 failures more", "failed: 6 nodes ran, 2 cached, 3.1 s"]


class _Deaf(JsonPrinter):
    """A printer whose reader has gone away."""

    def event(self, event: Event) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_run_that_nobody_reads_is_stopped() -> None:
    stopped = []
    feed = EventFeed(_Deaf(), None, lambda: stopped.append(True))
    feed(finished())
    assert stopped
    assert not feed.problems


def test_bars_follow_nodes_and_keep_no_row_of_finished_ones() -> None:
    bars = ProgressBars()
    bars.event(NodeStarted(run="r", time=0.0, node="sample", element=1))
    bars.event(NodeProgress(run="r", time=0.0, node="sample", element=1, value=3, total=20, label="sampling"))
    (whole, row) = bars._progress.tasks
    assert (whole.description, row.description) == ("sample", "sample[1]: sampling")
    assert (row.completed, row.total) == (3, 20)
    bars.event(NodeFinished(run="r", time=0.0, node="sample", element=1, seconds=1.0))
    assert [task.completed for task in bars._progress.tasks] == [1]
