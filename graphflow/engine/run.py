"""One run of one graph: decide what is needed, unroll it, and do each task's work.

find keys -> walk back from the targets -> (obtain values that decide) -> unroll -> schedule -> results
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import time
from typing import Any

from graphflow.engine import events
from graphflow.engine.context import RunArtifacts, RunContext, RunScope
from graphflow.engine.control import RunControl
from graphflow.engine.execute import failure_message, run_instance, task_inputs
from graphflow.engine.plan import needed_nodes, undecided
from graphflow.engine.purity import InputGuard
from graphflow.engine.recipe import Recipes
from graphflow.engine.schedule import Schedule, Upstream
from graphflow.engine.services import Result, Services
from graphflow.engine.tasks import Task, Unroller
from graphflow.graph.collector import collector_paused
from graphflow.graph.graph import Graph

_FROM_STORE_SECONDS = 1.0
"""What a mapped result counts as having cost when all its elements were stored already: enough to be kept beside them."""

_COLLECT_EVERY = 20_000
"""New objects between two garbage collections during a run: results and events are many, and stay."""


@dataclass
class Outcome:
    """What became of a run's tasks."""

    executed: int = 0
    cached: int = 0
    failures: list[events.NodeFailed] = field(default_factory=list)
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
        self._emit = emit
        self._scope = RunScope(services, RunArtifacts(services, graph.folder, provenance), control, emit, run)
        self._unroller = Unroller(self.recipes)
        self._schedule = Schedule(self, control)
        self._missing: set[str] = set()  # keys without a stored result, as far as this run knows
        self._told: set[str] = set()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(max(_COLLECT_EVERY, self._thresholds[0]), *self._thresholds[1:])
        self._fans: set[int] = set()
        self._seconds: dict[int, float] = {}

    def close(self) -> None:
        """End the run's threads."""
        self._schedule.close()
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

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
            with collector_paused():
                sources = self._unroll_or_ask(targets)
                gc.freeze()  # what was made now stays until the run ends: later collections need not walk it
            if not sources:
                return
            self._pin_and_run(task for source in sources for task in self._unroller.tasks[source])

    def _unroll_or_ask(self, targets: list[int]) -> list[int]:
        """Unroll what the targets need; or, while values are missing that decide about it, what these values need, and name their nodes."""
        self.recipes.find_keys()
        needed, cached = needed_nodes(self.recipes, targets, self._is_cached)
        waiting = undecided(self.recipes, needed, self._is_known)
        sources = sorted({source for needs in waiting.values() for source in needs})
        if sources:
            needed, cached = needed_nodes(self.recipes, sources, self._is_cached)
        self._unroll(needed, cached)
        return sources

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
        unroller, raised, mapped = self._unroller, self.recipes.raised, self.recipes.mapped
        for index in sorted(starts.union(needed)) if starts else needed:
            if index in unroller.tasks:
                continue
            try:
                if index in raised:
                    raise raised[index]
                if index in starts:
                    self._unroll_cached(index)
                elif unroller.is_behind_dead(index):
                    raise Upstream
                else:
                    unroller.unroll(index)
                    if mapped[index]:
                        self._fans.add(index)
            except Exception as error:  # noqa: BLE001 - belongs to this node
                unroller.dead(index, error)

    def _unroll_cached(self, index: int) -> None:
        if self.recipes.mapped[index]:
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
        if task.key in self._missing or task.doom is not None or not self._is_stored(task.key):
            return False
        if any(before.error is not None for before in task.before):
            return False
        if task.key not in self._told:
            self._told.add(task.key)
            self.outcome.cached += 1
            self.outcome.status.setdefault(task.node, "cached")
            self._emit(
                events.NodeCached(
                    run=self._scope.run, time=time(), node=self.graph.nodes[task.node].id, element=task.element
                )
            )
        return True

    def fetch(self, task: Task) -> Result | None:
        """The stored result; None when it is gone."""
        return self._services.cache.get(task.key)

    def repair(self, task: Task) -> None:
        """Give a task whose stored result is gone its dependencies."""
        self._missing.add(task.key)
        self._remake(task.node)

    def start(self, task: Task) -> Callable[[], tuple[Result, float]]:
        """Make the instance and its context; the work as a function."""
        spec = task.ports.spec
        if spec is None:
            spec = task.ports.spec = self._services.classes.spec(task.ports.type)
        inputs = task_inputs(task, spec, self._lazy_get)
        instance = spec.cls.__pydantic_validator__.validate_python(inputs)
        guard = InputGuard(inputs) if self._services.dev else None
        node = self.graph.nodes[task.node].id
        context = RunContext(self._scope, node, task.element, task.key)
        self._emit(events.NodeStarted(self._scope.run, time(), node, task.element))
        return lambda: run_instance(instance, spec, context, guard)

    def finish(self, task: Task, result: Result, seconds: float) -> None:
        """Keep the result and tell."""
        schema = task.ports.schema
        if schema.cache != "never":
            self._services.cache.put(
                task.key,
                result,
                seconds=seconds,
                policy=schema.cache,
                node_type=task.ports.type,
                explain=task.describe,
            )
            self._missing.discard(task.key)
        if task.element is not None:
            self._seconds[task.node] = self._seconds.get(task.node, 0.0) + seconds
        self._told.add(task.key)
        self.outcome.executed += 1
        self.outcome.status[task.node] = "ran"
        self._emit(events.NodeFinished(self._scope.run, time(), self.graph.nodes[task.node].id, seconds, task.element))

    def fail(self, task: Task, error: BaseException) -> None:
        """Tell of a failed task, or of one behind it."""
        node = self.graph.nodes[task.node]
        if isinstance(error, Upstream):
            self.outcome.status.setdefault(task.node, "skipped")
            self._emit(events.NodeSkipped(run=self._scope.run, time=time(), node=node.id, element=task.element))
            return
        message, shown = failure_message(error, node.schema)
        self.outcome.status[task.node] = "failed"
        failure = events.NodeFailed(
            run=self._scope.run,
            time=time(),
            node=node.id,
            type=node.schema.type,
            message=message,
            traceback=shown,
            element=task.element,
        )
        self.outcome.failures.append(failure)
        self._emit(failure)

    # -- small things -----------------------------------------------------------------------------------------------------

    def _lazy_get(self, node: int, output: str) -> Any:
        return self._schedule.call(lambda: self._run_branch(node, output))

    def _run_branch(self, node: int, output: str) -> Any:
        tasks = self.obtain([node])[node]
        failed = next((task.error for task in tasks if task.error is not None), None)
        if failed is not None:
            raise Upstream from failed
        values = [(task.result or {})[output] for task in tasks]
        return values if self.graph.nodes[node].is_mapped else values[0]
