"""Runs in this process: one worker thread for the device, and an io lane beside it."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from graphflow.engine.events import ArtifactReady, RunFinished, RunStarted, RunStatus
from graphflow.engine.executors import RunRequest
from graphflow.engine.keys import describe_parts
from graphflow.engine.plan import find_targets
from graphflow.engine.report import NodeRecord, RunReport, describe_value, files_in
from graphflow.engine.run import Outcome, Runner
from graphflow.engine.services import Services
from graphflow.engine.tasks import Task
from graphflow.errors import GraphflowError, RunCancelled
from graphflow.graph.graph import Graph

log = logging.getLogger("graphflow.engine")


class LocalExecutor:
    """Runs one graph at a time on one device."""

    def __init__(
        self,
        services: Callable[[RunRequest], Services],
        after: Callable[[RunRequest, RunReport], None] = lambda request, report: None,
    ) -> None:
        """`services` gives what a run may use; `after` is called in the worker once a run is over."""
        self._services = services
        self._after = after
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="graphflow-device")

    def submit(self, request: RunRequest) -> Future[RunReport]:
        """Queue a run behind those that were queued before."""
        return self._worker.submit(self._run, request)

    def _run(self, request: RunRequest) -> RunReport:
        return run_graph(request, self._services, self._after)

    def close(self) -> None:
        """Finish what runs and end the worker."""
        self._worker.shutdown(wait=True, cancel_futures=True)


def run_graph(
    request: RunRequest,
    services: Callable[[RunRequest], Services],
    after: Callable[[RunRequest, RunReport], None] = lambda request, report: None,
) -> RunReport:
    """Run a graph in the calling thread. Never raises: whatever goes wrong, inside a node or not, ends in the report."""
    return _Run(request, services, after).report()


class _Run:
    """One run from its first event to its last."""

    def __init__(
        self,
        request: RunRequest,
        services: Callable[[RunRequest], Services],
        after: Callable[[RunRequest, RunReport], None],
    ) -> None:
        self._request = request
        self._make_services = services
        self._after = after
        self._graph: Graph = request.graph
        self._artifacts: list[ArtifactReady] = []
        self._values: dict[str, Any] = {}
        self._described: dict[str, Any] = {}
        self._runner: Runner | None = None
        self._artifact_path: Callable[[str], Path] = Path
        self._started = time.perf_counter()

    def report(self) -> RunReport:
        """Run, and say how it went."""
        status, message, shown = self._guarded()
        outcome = self._runner.outcome if self._runner is not None else Outcome()
        report = RunReport(
            run=self._request.run,
            status=status,
            outputs=self._values,
            executed=outcome.executed,
            cached=outcome.cached,
            seconds=time.perf_counter() - self._started,
            failures=tuple(outcome.failures),
            artifacts=tuple(self._artifacts),
            message=message,
            traceback=shown,
            records=partial(_records, self._runner) if self._runner is not None else dict,
        )
        for follow in (partial(self._after, self._request), self._tell_end):
            try:
                follow(report)
            except Exception:  # the run is over; what follows it must take away neither its last event nor its report
                log.exception("something failed after run %s", report.run)
        return report

    def _guarded(self) -> tuple[RunStatus, str, str]:
        """Status, and for a run that no single node made fail, the reason and a traceback."""
        try:
            self._run()
        except RunCancelled:
            return "cancelled", "", ""
        except GraphflowError as error:
            return "failed", str(error), ""
        except BaseException as error:  # noqa: BLE001 - a defect ends this run, never the engine
            return "failed", f"internal error: {type(error).__name__}: {error}", traceback.format_exc()
        finally:
            self._close_runner()
        return ("failed" if self._runner is not None and self._runner.outcome.failures else "succeeded"), "", ""

    def _close_runner(self) -> None:
        if self._runner is not None:
            self._runner.close()

    def _run(self) -> None:
        request = self._request
        self._request.emit(RunStarted(run=request.run, time=time.time(), nodes=len(self._graph.nodes)))
        services = self._make_services(request)
        self._artifact_path = services.artifacts.path
        self._runner = Runner(
            self._graph,
            services,
            control=request.control,
            emit=request.emit,
            run=request.run,
            provenance=request.provenance,
            use_cache=request.use_cache,
        )
        targets = find_targets(self._graph, request.targets)
        exposed = {source.node for source in self._graph.outputs.values()}
        tasks = self._runner.obtain(targets)
        for index in targets:
            self._collect_files(index, tasks[index])
        if not request.targets or exposed <= set(targets):
            self._collect_outputs(tasks)

    def _collect_files(self, index: int, tasks: list[Task]) -> None:
        node = self._graph.nodes[index].id
        for task in tasks:
            for file in files_in(task.result or {}):
                path = str(self._artifact_path(file.name))
                event = ArtifactReady(
                    run=self._request.run,
                    time=time.time(),
                    node=node,
                    name=file.name,
                    path=path,
                    media_type=file.media_type,
                    element=task.element,
                )
                self._artifacts.append(event)
                self._request.emit(event)

    def _collect_outputs(self, tasks: Mapping[int, list[Task]]) -> None:
        for name, source in self._graph.outputs.items():
            results = [task.result for task in tasks[source.node]]
            if all(result is not None for result in results):
                values = [(result or {})[source.output] for result in results]
                value = values if self._graph.nodes[source.node].is_mapped else values[0]
                self._values[name] = value
                self._described[name] = describe_value(value, self._artifact_path)

    def _tell_end(self, report: RunReport) -> None:
        self._request.emit(
            RunFinished(
                run=report.run,
                time=time.time(),
                status=report.status,
                outputs=self._described,
                executed=report.executed,
                cached=report.cached,
                seconds=round(report.seconds, 6),
                message=report.message,
            )
        )


def _records(runner: Runner) -> dict[str, NodeRecord]:
    recipes, status = runner.recipes, runner.outcome.status
    records = {}
    for index, node in enumerate(runner.graph.nodes):
        parts = recipes.parts[index]
        records[node.id] = NodeRecord(
            type=f"{node.schema.type}@{node.schema.version}",
            status=status.get(index, "not needed"),
            key=recipes.keys[index],
            parts=describe_parts(parts) if parts is not None else None,
        )
    return records
