"""`graphflow plan`: what a run would do, before it does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from graphflow.cli.options import AsJson, Assignments, Device, File, Targets, Vram

if TYPE_CHECKING:
    from graphflow.app import PlannedNode

_ACTIONS = {"run": "run", "cached": "cached", "decide": "run or cached"}


def plan(
    file: File,
    assignments: Assignments = None,
    targets: Targets = None,
    device: Device = None,
    vram: Vram = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do, and in which order.

    What is cached, what would run, and which model files it would read; "run or cached" stands for nodes that depend on a value
    that is known only during the run.
    """
    from graphflow.cli.house import open_app, read_settings
    from graphflow.cli.output import json_line, notice, table

    with open_app(read_settings(device=device, vram=vram)) as app:
        steps = app.plan(app.prepare(file, assignments or []), targets or [])
    if as_json:
        json_line(plan_json(steps))
        return
    table(
        ("", "node", "type", "action", "models"),
        [
            (str(at), step.node, step.type, _ACTIONS[step.action], _models_text(step))
            for at, step in enumerate(steps, 1)
        ],
        right=("",),
    )
    notice(plan_summary(steps))


def plan_json(steps: Sequence[PlannedNode]) -> dict[str, Any]:
    """The plan for machines: its nodes in running order, and the sums."""
    return {
        "nodes": [
            {
                "node": step.node,
                "type": step.type,
                "action": step.action,
                "models": [{"file": name, "bytes": size} for name, size in step.models],
            }
            for step in steps
        ],
        "model_bytes": model_bytes(steps),
        **{action: sum(step.action == action for step in steps) for action in _ACTIONS},
    }


def plan_summary(steps: Sequence[PlannedNode]) -> str:
    """`5 nodes would run, 2 are cached; 14 MB of models would be read`."""
    from graphflow.cli.output import count_text, size_text

    runs, cached, open_nodes = (sum(step.action == action for step in steps) for action in _ACTIONS)
    parts = [f"{count_text(runs, 'node')} would run", f"{cached:,} {'is' if cached == 1 else 'are'} cached"]
    if open_nodes:
        parts.append(f"{open_nodes:,} {'is' if open_nodes == 1 else 'are'} decided while it runs")
    size = model_bytes(steps)
    return ", ".join(parts) + (f"; {size_text(size)} of model files would be read" if size else "")


def model_bytes(steps: Iterable[PlannedNode]) -> int:
    """Bytes of the model files of all nodes that may run, each file counted once."""
    return sum(dict(model for step in steps if step.action != "cached" for model in step.models).values())


def _models_text(step: PlannedNode) -> str:
    from graphflow.cli.output import size_text

    return ", ".join(f"{name} ({size_text(size)})" for name, size in step.models)
