"""One execution: inputs into an instance, `run`, outputs checked and kept."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from time import perf_counter
from typing import Any

import orjson
from pydantic import ValidationError

from graphflow.authoring.describe import InputSchema, NodeSchema, problems
from graphflow.authoring.lazy import Lazy
from graphflow.authoring.node import Node, NodeSpec
from graphflow.engine.purity import InputGuard
from graphflow.engine.services import Result
from graphflow.engine.tasks import Task, bind
from graphflow.errors import GraphflowError, WorkflowError

LazyGet = Callable[[int, str], Any]
"""Runs the node of that index now and gives one of its outputs."""


def task_inputs(task: Task, spec: NodeSpec, lazy_get: LazyGet) -> dict[str, Any]:
    """The inputs of a task whose dependencies are done, as its class takes them."""
    inputs: dict[str, Any] = dict(task.values)
    if spec.convert:
        for name, adapter in spec.convert.items():
            if name in inputs:
                inputs[name] = adapter.validate_json(orjson.dumps(inputs[name]), strict=True)
    for name, before, output in task.singles:
        inputs[name] = (before.result or {})[output]
    for port, refs in task.links:
        inputs[port.name] = bind(port, refs)
    for name in task.ports.lazy:
        if name in inputs:
            inputs[name] = Lazy.of(inputs[name])
    for port, sources in task.lazies:
        inputs[port.name] = _lazy(port, sources, lazy_get)
    return inputs


def _lazy(port: InputSchema, sources: list[tuple[int, str]], lazy_get: LazyGet) -> Lazy[Any]:
    if port.many:
        return Lazy(lambda: [lazy_get(node, output) for node, output in sources])
    node, output = sources[0]
    return Lazy(lambda: lazy_get(node, output))


def run_instance(instance: Node, spec: NodeSpec, ctx: Any, guard: InputGuard | None) -> tuple[Result, float]:
    """Run a node; its checked outputs by name, and the seconds it took. Raises whatever the node raises."""
    run: Callable[[Any], Any] = instance.run  # type: ignore[attr-defined]
    started = perf_counter()
    returned = asyncio.run(run(ctx)) if spec.is_async else run(ctx)
    seconds = perf_counter() - started
    if guard is not None:
        guard.check()
    return spec.wrap(returned), seconds


def failure_message(error: BaseException, schema: NodeSchema) -> tuple[str, str]:
    """What to tell the user, and the traceback for developers (empty when the cause is the user's to mend)."""
    if isinstance(error, ValidationError) and error.title == schema.class_name.rpartition(".")[2]:
        return "; ".join(_input_problem(item, schema) for item in error.errors()), ""
    if isinstance(error, WorkflowError):
        return "; ".join(finding.message for finding in error.findings), ""
    if isinstance(error, GraphflowError):
        return str(error), ""
    shown = "".join(traceback.format_exception(error))
    text = str(error)
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__), shown


def _input_problem(item: Any, schema: NodeSchema) -> str:
    name = str(item["loc"][0]) if item["loc"] else ""
    port = schema.input(name)
    if port is not None and item["type"] != "missing":
        found = problems(item["input"], port.type, nullable=port.nullable)
        if found:
            return f'input "{name}": {found[0]}'
    return f'input "{name}": {item["msg"]}'
