"""Reading saved workflows: from JSON files, from pictures that carry one, from memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from math import isinf
from pathlib import Path
from typing import Any, NoReturn

from graphflow.errors import Finding, WorkflowError
from graphflow.graph.collector import collector_paused
from graphflow.graph.document import Document
from graphflow.graph.findings import FindingList
from graphflow.graph.picture import NoWorkflow, is_picture, workflow_text
from graphflow.graph.shape import document_from

MAX_BYTES = 64 * 2**20
"""Largest workflow file that is read."""


def load_document(path: Path | str, *, label: str = "") -> Document:
    """Read a saved workflow from a JSON file, or from a PNG, JPEG or WebP picture that carries one; findings call it `label`, else the path.

    Raises WorkflowError with every finding: a file that cannot be read, malformed JSON with line and column, parts of the wrong shape.
    """
    file, label = Path(path), label or str(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(16)
            if not is_picture(data):
                data += stream.read(MAX_BYTES + 1 - len(data))
    except FileNotFoundError:
        _refuse(f'there is no file "{label}"; check the name, or the folder that you are in.', label, "missing_file")
    except IsADirectoryError:
        _refuse("this is a folder; give a workflow file in it.", label, "unreadable_file")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _refuse(f"the file cannot be read: {reason}.", label, "unreadable_file")
    if is_picture(data):
        try:
            return parse_document(workflow_text(file), label=label, path=file)
        except NoWorkflow as error:
            _refuse(str(error), label, "no_workflow")
    return parse_document(data, label=label, path=file)


@collector_paused()
def parse_document(data: str | bytes, *, label: str, path: Path | None = None) -> Document:
    """Read a saved workflow from memory; `label` is what findings call it. Raises WorkflowError with every finding."""
    if len(data) > MAX_BYTES:
        _refuse(f"the file has more than {MAX_BYTES >> 20} MiB; a workflow has at most that.", label, "too_large")
    findings = FindingList()
    obj = _parse(_text(data, label), label, findings)
    try:
        doc = document_from(obj, label, path=path)
    except WorkflowError as error:
        findings.extend(error.findings)
    findings.raise_errors()
    return doc


def _text(data: str | bytes, label: str) -> str:
    text = data if isinstance(data, str) else ""
    if isinstance(data, bytes):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"line {line} is not UTF-8 text (byte {error.start}); a workflow is JSON saved as UTF-8."
            _refuse(message, label, "not_utf8")
    if not text.strip():
        _refuse("the file is empty; a workflow is a JSON object.", label, "malformed_json")
    return text


def _parse(text: str, label: str, findings: FindingList) -> Any:  # parsed JSON
    repeated: list[tuple[dict[str, Any], str]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            times = Counter(name for name, _ in items)
            repeated.extend((made, name) for name, count in times.items() if count > 1)
        return made

    def constant(name: str) -> None:
        message = f"{name} is no number that can be used; write a finite one, or null where that is accepted."
        findings.add(message, file=label, code="malformed_json")

    def number(digits: str) -> float:
        value = float(digits)
        if isinf(value):
            constant(digits[:20])
        return value

    try:
        obj = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {_reason(text, error)}."
        raise WorkflowError(
            [Finding(message, label, code="malformed_json", line=error.lineno, column=error.colno)]
        ) from None
    except RecursionError:
        _refuse("lists and objects are nested too deep for a workflow.", label, "too_deep")
    except ValueError:
        _refuse("a number has too many digits.", label, "malformed_json")
    for made, name in repeated:
        _note_repetition(obj, made, name, label, findings)
    half = _half_character(text, obj)
    if half:
        message = f"a text holds half of a character, {half}; write the whole pair."
        findings.add(message, file=label, code="not_utf8")
    return obj


def _half_character(text: str, obj: Any) -> str:
    """The first surrogate that stands alone, which no file can hold; empty when there is none."""
    if re.search(r"\\u[dD]", text) or not text.isascii():
        try:
            json.dumps(obj, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            return f"\\u{ord(error.object[error.start]):04x}"
        except RecursionError:
            return ""
    return ""


def _reason(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip()
    trailing = before.endswith(",") and text[error.pos :].lstrip()[:1] in ("}", "]")
    if trailing or error.msg.startswith("Illegal trailing comma"):  # as Python 3.13 says it
        return "a comma stands after the last element; remove it"
    if text.startswith("'", error.pos):
        return "texts stand in double quotes"
    if text.startswith(("/", "#"), error.pos):
        return "JSON has no comments; remove it"
    if error.msg.startswith("Unterminated string"):
        return "the text that begins here is not closed"
    if error.pos >= len(text.rstrip()):
        return "it ends too early; a bracket or quote is not closed"
    return error.msg[:1].lower() + error.msg[1:]


def _note_repetition(obj: Any, made: dict[str, Any], name: str, label: str, findings: FindingList) -> None:
    nodes = obj.get("nodes") if isinstance(obj, dict) else None
    if made is nodes:
        findings.add(f'two nodes have the id "{name}"; rename one.', file=label, node=name, code="duplicate_node")
        return
    owner, input = "", ""
    for id, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict):
            if made is node:
                owner = id
            elif made is node.get("values") or made is node.get("links"):
                owner, input = id, name
    message = f'the key "{name}" is given twice; keep one.'
    findings.add(message, file=label, node=owner, input=input, code="duplicate_key")


def _refuse(message: str, label: str, code: str) -> NoReturn:
    raise WorkflowError([Finding(message, file=label, code=code)])
