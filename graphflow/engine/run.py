"""One run of one graph: decide what is needed, unroll it, and do each task's work.

find keys -> walk back from the targets -> (obtain values that decide) -> unroll -> schedule -> results
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphflow.authoring.describe import NodeSchema
from graphflow.authoring.node import NodeSpec
from graphflow.engine import events
from graphflow.engine.context import RunArtifacts, RunContext
from graphflow.engine.control import RunControl
from graphflow.engine.execute import failure_message, run_instance, task_inputs
from graphflow.engine.keys import describe_parts
from graphflow.engine.plan import needed_nodes, undecided
from graphflow.engine.purity import InputGuard
from graphflow.engine.recipe import Recipes
from graphflow.engine.schedule import Schedule, Upstream
from graphflow.engine.services import Result, Services
from graphflow.engine.tasks import Task, Unroller
from graphflow.graph.graph import Graph

_FROM_STORE_SECONDS = 1.0
"""What a mapped result counts as having cost when all its elements were stored already: enough to be kept beside them."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection while many objects are made that will all stay: each pass would walk them all for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass
class Outcome:
    """What became of a run's tasks."""

    executed: int = 0
    cached: int = 0
    failures: dict[str, BaseException] = field(default_factory=dict)
    """What each failed node raised, by node id."""
    status: dict[int, str] = field(default_factory=dict)
    """`ran`, `cached`, `failed` or `skipped` by node index."""


class Runner:
    """Does the work of one run. Targets may be obtained several times; what is known stays known."""

    def __init__(
        self,
        graph: Graph,
        services: Services,
        *,
        control: RunControl,
        emit: events.EventSink,
        run: str,
        provenance: Callable[[], dict[str, str]] = dict,
        use_cache: bool = True,
    ) -> None:
        self.graph = graph
        self._use_cache = use_cache
        self.recipes = Recipes(graph, services)
        self.outcome = Outcome()
        self._services = services
        self._control = control
        self._emit = emit
        self._run = run
        self._artifacts = RunArtifacts(services, graph.folder, provenance)
        self._unroller = Unroller(self.recipes)
        self._schedule = Schedule(self, control)
        self._missing: set[str] = set()  # keys without a stored result, as far as this run knows
        self._told: set[str] = set()
        self._specs: dict[str, NodeSpec] = {}
        self._fans: set[int] = set()
        self._seconds: dict[int, float] = {}

    def close(self) -> None:
        """End the run's threads."""
        self._schedule.close()

    # -- deciding ---------------------------------------------------------------------------------------------------------

    def obtain(self, targets: Iterable[int]) -> dict[int, list[Task]]:
        """Run or load what the targets need: their tasks, each with a result or an error. Raises RunCancelled."""
        wanted = sorted(set(targets))
        self._decide(wanted)
        tasks = {index: self._unroller.tasks[index] for index in wanted}
        self._pin_and_run(task for found in tasks.values() for task in found)
        self._keep_fans()
        return tasks

    def _pin_and_run(self, tasks: Iterable[Task]) -> None:
        wanted = list(tasks)
        for task in wanted:
            task.pinned = True
        self._schedule.run(wanted)

    def _decide(self, targets: list[int]) -> None:
        """Unroll what the targets need, first obtaining the values that this depends on."""
        while True:
            self.recipes.find_keys()
            needed, cached = needed_nodes(self.recipes, targets, self._is_cached)
            waiting = undecided(self.recipes, needed, self._is_known)
            if not waiting:
                with collector_paused():
                    self._unroll(needed, cached)
                return
            sources = sorted({source for known_by in waiting.values() for source in known_by})
            self._unroll(*needed_nodes(self.recipes, sources, self._is_cached))
            self._pin_and_run(task for source in sources for task in self._unroller.tasks[source])

    def _is_cached(self, index: int) -> bool:
        key = self.recipes.keys[index]
        return key is not None and self._is_stored(key)

    def _is_stored(self, key: str) -> bool:
        if key in self._missing or (key not in self._told and not self._use_cache):
            return False
        if self._services.cache.contains(key):
            return True
        self._missing.add(key)
        return False

    def _is_known(self, index: int) -> bool:
        tasks = self._unroller.tasks.get(index)
        return tasks is not None and all(task.result is not None or task.error is not None for task in tasks)

    def _unroll(self, needed: list[int], cached: list[int]) -> None:
        starts = set(cached)
        for index in sorted(starts.union(needed)):
            if index in self._unroller.tasks:
                continue
            try:
                self._unroll_node(index, is_cached=index in starts)
            except Exception as error:  # noqa: BLE001 - belongs to this node
                self._unroller.dead(index, error)

    def _unroll_node(self, index: int, *, is_cached: bool) -> None:
        raised = self.recipes.raised.get(index)
        if raised is not None:
            raise raised
        if not is_cached:
            if self._unroller.is_behind_dead(index):
                raise Upstream
            self._unroller.unroll(index)
            if self.graph.nodes[index].is_mapped:
                self._fans.add(index)
        elif self.graph.nodes[index].is_mapped:
            self._unroll_fan(index)
        else:
            self._unroller.cached(index)

    def _unroll_fan(self, index: int) -> None:
        key = self.recipes.keys[index]
        fan = self._services.cache.fan(key) if key is not None else None
        if fan is not None:
            self._unroller.unroll(index, fan)
            return
        self._remake(index)

    def _remake(self, index: int) -> None:
        """Unroll a node although its result was thought to be stored, and what it needs."""
        key = self.recipes.keys[index]
        if key is not None:
            self._missing.add(key)
        self._unroller.tasks.pop(index, None)
        self._decide([index])

    def _keep_fans(self) -> None:
        """Remember which elements make up the mapped nodes that are complete."""
        for index in self._fans:
            schema, key = self.graph.nodes[index].schema, self.recipes.keys[index]
            tasks = self._unroller.tasks.get(index, [])
            complete = all(task.error is None and task.key in self._told for task in tasks)
            if key is not None and complete and schema.cache != "never":
                self._services.cache.put_fan(
                    key,
                    [port.name for port in schema.outputs],
                    [task.key for task in tasks],
                    seconds=self._seconds.get(index, _FROM_STORE_SECONDS),
                    policy=schema.cache,
                    node_type=schema.type,
                )
        self._fans.clear()

    # -- what the schedule asks -------------------------------------------------------------------------------------------

    def is_available(self, task: Task) -> bool:
        """Whether a stored result will do."""
        if task.before and any(before.error is not None for before in task.before):
            return False
        if not self._is_stored(task.key):
            return False
        if task.key not in self._told:
            self._told.add(task.key)
            self.outcome.cached += 1
            self.outcome.status.setdefault(task.node, "cached")
            self._emit(events.NodeCached(run=self._run, node=self.graph.nodes[task.node].id, element=task.element))
        return True

    def fetch(self, task: Task) -> Result | None:
        """The stored result; None when it is gone."""
        return self._services.cache.get(task.key)

    def repair(self, task: Task) -> None:
        """Give a task whose stored result is gone its dependencies."""
        self._missing.add(task.key)
        self._remake(task.node)

    def priority(self, task: Task) -> tuple[int, int, int]:
        """Text encoders first; then element by element, so that the first picture comes early; then topological order."""
        return (0 if self.recipes.ports[task.node].is_encoder else 1, task.element or 0, task.node)

    def is_io(self, task: Task) -> bool:
        """Whether the task runs in the io lane."""
        return self._schema(task).lane == "io"

    def start(self, task: Task) -> Callable[[], tuple[Result, float]]:
        """Make the instance and its context; the work as a function."""
        schema = self._schema(task)
        spec = self._spec(schema.type)
        inputs = task_inputs(task, spec, self.recipes.ports[task.node], self._lazy_get)
        instance = spec.cls.__pydantic_validator__.validate_python(inputs)
        guard = InputGuard(inputs) if self._services.dev else None
        node = self.graph.nodes[task.node].id
        context = RunContext(
            self._services,
            self._artifacts,
            self._control,
            self._emit,
            run=self._run,
            node=node,
            element=task.element,
            key=task.key,
        )
        self._emit(events.NodeStarted(run=self._run, node=node, element=task.element))
        return lambda: run_instance(instance, spec, context, guard)

    def finish(self, task: Task, result: Result, seconds: float) -> None:
        """Keep the result and tell."""
        schema = self._schema(task)
        parts = task.parts
        if schema.cache != "never":
            self._services.cache.put(
                task.key,
                result,
                seconds=seconds,
                policy=schema.cache,
                node_type=schema.type,
                explain=describe_parts(parts[:5]) if parts is not None else None,
            )
            self._missing.discard(task.key)
        if task.element is not None:
            self._seconds[task.node] = self._seconds.get(task.node, 0.0) + seconds
        self._told.add(task.key)
        self.outcome.executed += 1
        self.outcome.status[task.node] = "ran"
        self._emit(
            events.NodeFinished(
                run=self._run, node=self.graph.nodes[task.node].id, element=task.element, seconds=seconds
            )
        )

    def fail(self, task: Task, error: BaseException) -> None:
        """Tell of a failed task, or of one behind it."""
        node = self.graph.nodes[task.node]
        if isinstance(error, Upstream):
            self.outcome.status.setdefault(task.node, "skipped")
            self._emit(events.NodeSkipped(run=self._run, node=node.id, element=task.element))
            return
        message, shown = failure_message(error, node.schema)
        self.outcome.failures.setdefault(node.id, error)
        self.outcome.status[task.node] = "failed"
        self._emit(
            events.NodeFailed(
                run=self._run,
                node=node.id,
                type=node.schema.type,
                message=message,
                traceback=shown,
                element=task.element,
            )
        )

    # -- small things -----------------------------------------------------------------------------------------------------

    def _schema(self, task: Task) -> NodeSchema:
        return self.graph.nodes[task.node].schema

    def _spec(self, type_name: str) -> NodeSpec:
        spec = self._specs.get(type_name)
        if spec is None:
            spec = self._specs[type_name] = self._services.classes.spec(type_name)
        return spec

    def _lazy_get(self, node: int, output: str) -> Any:
        return self._schedule.call(lambda: self._run_branch(node, output))

    def _run_branch(self, node: int, output: str) -> Any:
        tasks = self.obtain([node])[node]
        failed = next((task.error for task in tasks if task.error is not None), None)
        if failed is not None:
            raise Upstream from failed
        values = [(task.result or {})[output] for task in tasks]
        return values if self.graph.nodes[node].is_mapped else values[0]
