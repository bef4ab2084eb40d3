"""How `graphflow run` tells what happens: as JSON lines for machines, or in words."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from graphflow.cli.delivery import OutFolder
from graphflow.cli.output import count_text, finding_json, finding_lines, json_line, line, notice, seconds_text, to_json
from graphflow.cli.progress import ProgressBars
from graphflow.engine.events import ArtifactReady, Event, NodeFailed, NodePreview, RunFinished, event_json
from graphflow.errors import Finding

_MANY = 20
"""Failures that are told one by one."""


class RunPrinter(Protocol):
    """Tells of one run. `event` may be called from any thread and never raises."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def say(self, text: str) -> None:
        """A word to the person at the terminal."""

    def refuse(self, message: str, findings: Sequence[Finding] = ()) -> None:
        """The run could not begin."""

    def close(self) -> None:
        """Tell what is left to tell."""


class EventFeed:
    """Hands events to a printer: one at a time, artifacts with the path where the user wants them. Never raises."""

    def __init__(self, printer: RunPrinter, out: OutFolder | None, on_deaf: Callable[[], None]) -> None:
        """`on_deaf` is called when nobody reads the output any more."""
        self._printer = printer
        self._out = out
        self._on_deaf = on_deaf
        self._lock = threading.Lock()
        self.problems: list[str] = []
        """What could not be written, and why."""

    def __call__(self, event: Event) -> None:
        """Take an event from any thread."""
        if isinstance(event, NodePreview):
            return
        with self._lock:
            if isinstance(event, ArtifactReady) and self._out is not None:
                event = self._delivered(event, self._out)
            self._guarded(lambda: self._printer.event(event))

    def close(self) -> None:
        """Let the printer tell what is left."""
        self._guarded(self._printer.close)

    def _guarded(self, write: Callable[[], None]) -> None:
        """Write; once that is impossible there is no point in going on."""
        try:
            write()
        except BrokenPipeError:
            self._on_deaf()
        except OSError as error:
            problem = f"the output cannot be written: {error.strerror or error}"
            if problem not in self.problems:
                self.problems.append(problem)
            self._on_deaf()

    def _delivered(self, event: ArtifactReady, out: OutFolder) -> ArtifactReady:
        try:
            return event._replace(path=str(out.deliver(Path(event.path), event.name, event.node)))
        except OSError as error:
            self.problems.append(f"{event.path} cannot be copied to the folder of --out: {error.strerror or error}")
            return event


class JsonPrinter:
    """One event or artifact per line on stdout; the last one is `run_finished`."""

    def __init__(self, bars: ProgressBars | None = None) -> None:
        self._bars = bars
        if bars is not None:
            bars.start()

    def event(self, event: Event) -> None:
        """A line. Raises BrokenPipeError when nobody reads."""
        if self._bars is not None:
            self._bars.event(event)
        json_line(event_json(event))

    def say(self, text: str) -> None:
        """To stderr."""
        notice(text)

    def refuse(self, message: str, findings: Sequence[Finding] = ()) -> None:
        """A last line in place of the one that the run would have written."""
        told = [finding_json(finding) for finding in findings]
        json_line({"event": "run_finished", "status": "failed", "outputs": {}, "findings": told, "message": message})

    def close(self) -> None:
        """Wipe the bars."""
        if self._bars is not None:
            self._bars.stop()


class TextPrinter:
    """Artifact paths and plain results on stdout; bars, failures and a summary on stderr."""

    def __init__(self, bars: ProgressBars | None = None, *, dev: bool = False) -> None:
        self._bars = bars
        self._dev = dev
        self._held: list[str] = []
        self._failures: list[NodeFailed] = []
        self._end: RunFinished | None = None
        if bars is not None:
            bars.start()

    def event(self, event: Event) -> None:
        """Draw it, print it, or keep it for the end. Raises BrokenPipeError when nobody reads."""
        if self._bars is not None:
            self._bars.event(event)
        if isinstance(event, ArtifactReady):
            self._print(event.path)
        elif isinstance(event, NodeFailed):
            self._failures.append(event)
        elif isinstance(event, RunFinished):
            self._end = event

    def say(self, text: str) -> None:
        """To stderr; above the bars where there are some."""
        notice(text)

    def refuse(self, message: str, findings: Sequence[Finding] = ()) -> None:
        """Every finding on a line of stderr."""
        for text in finding_lines(findings) if findings else [message]:
            notice(text)

    def close(self) -> None:
        """Wipe the bars, then tell results, failures and the summary."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
        try:
            self._tell_results()
        finally:
            self._tell_end()

    def _tell_results(self) -> None:
        held, self._held = self._held, []
        for text in [*held, *(plain_outputs(self._end.outputs) if self._end is not None else ())]:
            line(text)

    def _tell_end(self) -> None:
        for failure in self._failures[:_MANY]:
            if self._dev and failure.traceback:
                notice(failure.traceback.rstrip())
            notice(failure_line(failure))
        if len(self._failures) > _MANY:
            notice(f"... and {count_text(len(self._failures) - _MANY, 'failure')} more")
        if self._end is not None:
            notice(summary(self._end))

    def _print(self, text: str) -> None:
        """Now, unless that would run into the bars."""
        if self._bars is not None and sys.stdout.isatty():
            self._held.append(text)
        else:
            line(text)


def failure_line(failure: NodeFailed) -> str:
    """`node "decode" (core.decode) failed: ...`."""
    element = "" if failure.element is None else f", element {failure.element}"
    return f'node "{failure.node}" ({failure.type}){element} failed: {failure.message}'


def plain_outputs(outputs: Mapping[str, Any]) -> list[str]:
    """Exposed results that are text, numbers or lists of them, as `name: value`. Others are files, told by their paths, or tensors."""
    return [f"{name}: {_plain_text(value)}" for name, value in outputs.items() if _is_plain(value)]


def summary(end: RunFinished) -> str:
    """`6 nodes ran, 2 cached, 3.1 s`."""
    told = f"{count_text(end.executed, 'node')} ran, {end.cached:,} cached, {seconds_text(end.seconds)}"
    return told if end.status == "succeeded" else f"{end.status}: {told}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, str | int | float)


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) and "\n" not in value else to_json(value)
