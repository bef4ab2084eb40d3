"""Why a node ran, or did not: the parts of its key now beside those of the run before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from graphflow.engine.report import NodeRecord

Records = Mapping[str, NodeRecord]


class RunHistory:
    """The last two runs of each workflow, as files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, workflow: str, records: Records) -> None:
        """Remember a run; the one before the last is forgotten. Raises OSError."""
        path = self._path(workflow)
        known = _read(path)
        nodes = {name: asdict(record) for name, record in records.items()}
        entry = {"workflow": workflow, "time": time.time(), "nodes": nodes, "before": (known or {}).get("nodes")}
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.write_text(json.dumps(entry, default=str), encoding="utf-8")
        draft.replace(path)

    def explain(self, node: str) -> list[str]:
        """Lines about the node in the newest run that has it; empty when no run has."""
        newest = max(self._runs_with(node), key=lambda entry: float(entry["time"]), default=None)
        if newest is None:
            return []
        return [f'{newest["workflow"]}, node "{node}":', *explain(node, newest["nodes"], newest.get("before"))]

    def _path(self, workflow: str) -> Path:
        return self._folder / f"{blake2b(workflow.encode('utf-8', 'surrogatepass'), digest_size=10).hexdigest()}.json"

    def _runs_with(self, node: str) -> list[dict[str, Any]]:
        entries = [_read(path) for path in self._folder.glob("*.json")] if self._folder.is_dir() else []
        return [entry for entry in entries if entry is not None and node in entry["nodes"]]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("nodes"), dict) else None


def explain(node: str, now: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[str]:
    """Why a node ran in the last run, from the records of that run and of the one before (as JSON objects)."""
    record = now[node]
    status = record["status"]
    told = {
        "ran": "it ran.",
        "cached": "its result was in the cache.",
        "failed": "it failed.",
        "skipped": "it did not run, because something before it failed.",
        "not needed": "nothing that had to run needed it.",
    }
    lines = [told.get(status, status)]
    if record["key"] is None:
        return [*lines, "Its key depends on values that are known only while it runs."]
    lines.append(f"key {record['key']}")
    previous = (before or {}).get(node)
    if previous is None or previous.get("parts") is None or record.get("parts") is None:
        return [*lines, "There is no earlier run of this workflow to compare with."]
    if previous["key"] == record["key"]:
        end = "The key is the same as in the run before"
        return [*lines, f"{end}, but its result was no longer in the cache." if status == "ran" else f"{end}."]
    changes = _changes(previous["parts"], record["parts"], now)
    return [*lines, "The key differs from the run before:", *(f"  {change}" for change in changes or [_ELSEWHERE])]


_ELSEWHERE = "something outside the workflow changed: device, precision, attention backend, or a library's version"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    lines = []
    if old["type"] != new["type"] and old["type"].partition("+")[0] == new["type"].partition("+")[0]:
        lines.append("the source of its pack changed")
    elif (old["type"], old["version"]) != (new["type"], new["version"]):
        lines.append(f"type: {old['type']}@{old['version']} -> {new['type']}@{new['version']}")
    for name in sorted({*old["values"], *new["values"]}):
        was, is_now = old["values"].get(name, "its default"), new["values"].get(name, "its default")
        if was != is_now:
            lines.append(f"{name}: {_short(was)} -> {_short(is_now)}")
    lines += [
        f"{name or 'fingerprint'}: the content of the file changed"
        for name in sorted({*old["files"], *new["files"]})
        if old["files"].get(name) != new["files"].get(name)
    ]
    by_key = {record["key"]: node for node, record in now.items()}
    for name in sorted({*old["links"], *new["links"]}):
        was, is_now = old["links"].get(name), new["links"].get(name)
        if was != is_now:
            sources = sorted(
                {str(by_key.get(link[0], "another node")) for link in is_now or [] if isinstance(link, list)}
            )
            lines.append(f"{name}: what comes from {', '.join(sources) or 'nowhere'} changed")
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
