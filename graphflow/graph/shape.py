"""From a parsed JSON object to a Document: is every part of the right shape?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphflow.graph.document import FORMAT, Document, SavedNode
from graphflow.graph.findings import FindingList, quoted
from graphflow.graph.format_migrations import upgrade
from graphflow.graph.links import PLACE, WORD, is_subgraph, subgraph_file, subgraph_path_problem

_DOCUMENT_KEYS = ("graphflow", "name", "packs", "params", "outputs", "nodes", "workflows", "view")
_NODE_KEYS = ("type", "values", "links", "map")
_KNOWN_NODE_KEYS = frozenset(_NODE_KEYS)
_TYPE = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_]*)@([1-9][0-9]{0,8})")
_WORD_RULE = "use letters, digits, _ and -, beginning with a letter or _"
_MAX_DEPTH = 64
"""Deepest nesting of lists and objects in a value."""


def document_from(obj: Any, label: str, *, path: Path | None = None) -> Document:  # any parsed JSON
    """A Document from a parsed JSON object. Raises WorkflowError with every wrong shape."""
    findings = FindingList()
    doc = Document(path=path, label=label)
    if not isinstance(obj, dict):
        findings.add(
            f"a workflow is a JSON object; this is {quoted(obj)}.", file=label, code="not_an_object", value=obj
        )
    elif _is_our_format(obj, label, findings):
        _Shape(doc, findings).read(obj)
    findings.raise_errors()
    return doc


def _is_our_format(obj: dict[str, Any], label: str, findings: FindingList) -> bool:
    if "graphflow" not in obj:
        if is_comfyui(obj):
            message = "this is a ComfyUI workflow; convert it with `graphflow import FILE -o OUT`, then open OUT."
            findings.add(message, file=label, code="comfyui")
        else:
            message = f'the key "graphflow" is missing; a workflow begins with "graphflow": {FORMAT}.'
            findings.add(message, file=label, code="missing_format")
        return False
    number = obj["graphflow"]
    if type(number) is not int or number < 1:
        message = f'"graphflow" is {quoted(number)}; it is the number of the file format, up to {FORMAT}.'
        findings.add(message, file=label, code="bad_format", value=number)
        return False
    if number > FORMAT:
        message = (
            f"the file has format {number}; this graphflow reads up to format {FORMAT}. Update graphflow to open it."
        )
        findings.add(message, file=label, code="newer_format", value=number)
        return False
    upgrade(obj)
    return True


def is_comfyui(obj: dict[str, Any]) -> bool:
    """Whether an object is a ComfyUI file: nodes by number with `class_type`, or lists of `nodes` and `links`."""
    if isinstance(obj.get("nodes"), list) and isinstance(obj.get("links"), list):
        return True
    parts = [part for part in obj.values() if isinstance(part, dict)]
    return bool(parts) and all("class_type" in part for part in parts)


class _Shape:
    """Fills a document from an object and notes what does not fit."""

    def __init__(self, doc: Document, findings: FindingList) -> None:
        self.doc = doc
        self.findings = findings
        self.file = doc.label
        self._types: dict[str, tuple[str, int | None]] = {}

    def read(self, obj: dict[str, Any]) -> None:
        doc = self.doc
        self._unknown_keys(obj, _DOCUMENT_KEYS)
        name = obj.get("name", "")
        if type(name) is str:
            doc.name = name
        else:
            self._wrong(f'"name" is {quoted(name)}; it is the title of the workflow, as text.', value=name)
        for pack, version in self._part(obj, "packs"):
            if type(version) is str:
                doc.packs[pack] = version
            else:
                self._wrong(f'"packs": the version of "{pack}" is {quoted(version)}; write it as text, "0.3".')
        for param, places in self._part(obj, "params", words=True):
            found = self._places(places, f'the parameter "{param}"', "node.input")
            if found:
                doc.params[param] = found
        for output, place in self._part(obj, "outputs", words=True):
            if type(place) is str and PLACE.fullmatch(place):
                doc.outputs[output] = place
            else:
                self._wrong(f'the output "{output}" is {quoted(place)}; write the "node.output" that it shows.')
        nodes, read_node = doc.nodes, self._node
        for id, saved in self._part(obj, "nodes", words=True):
            nodes[id] = read_node(id, saved)
        for file, carried in self._part(obj, "workflows"):
            if type(carried) is dict:
                doc.workflows[file] = carried
            else:
                self._wrong(
                    f'"workflows": {quoted(file)} is {quoted(carried)}; it is a workflow, {{...}}.', value=carried
                )
        for key, shown in self._part(obj, "view"):
            doc.view[key] = shown
            self._depth(shown, f'"view" of "{key}"')

    def _part(self, obj: dict[str, Any], key: str, *, words: bool = False) -> Iterator[tuple[str, Any]]:
        part = obj.get(key)
        if part is None and key not in obj:
            return
        if type(part) is not dict:
            self._wrong(f'"{key}" is {quoted(part)}; it is an object, {{...}}.', value=part)
            return
        is_word = WORD.fullmatch
        what = {"nodes": "the node id", "params": "the parameter name", "outputs": "the output name"}.get(key, "")
        for name, item in part.items():
            if words and not is_word(name):
                self._wrong(f"{what} {quoted(name)} is not accepted; {_WORD_RULE}.", code="bad_id", value=name)
            yield name, item

    def _node(self, id: str, saved: Any) -> SavedNode:
        if type(saved) is not dict:
            self._wrong(f'a node is an object with a "type"; this is {quoted(saved)}.', id)
            return SavedNode("")
        if not saved.keys() <= _KNOWN_NODE_KEYS:
            self._unknown_keys(saved, _NODE_KEYS, id)
        full = saved.get("type")
        known = self._types.get(full) if type(full) is str else None
        if known is None:
            known = self._type(id, full)
        node = SavedNode(known[0], known[1])
        if "values" in saved:
            node.values = self._object(id, saved["values"], "values")
            for name, value in node.values.items():
                if type(value) in (list, dict):
                    self._depth(value, "the value", id, name)
        if "links" in saved:
            links = self._object(id, saved["links"], "links")
            is_place = PLACE.fullmatch
            for name, link in links.items():
                if type(link) is str and is_place(link):
                    node.links[name] = link
                else:
                    found = self._places(link, "the link", "node.output", id, name)
                    if found:
                        node.links[name] = found if type(link) is list else found[0]
        if "map" in saved:
            node.map = self._map(id, saved["map"])
        return node

    def _type(self, id: str, full: Any) -> tuple[str, int | None]:
        if type(full) is not str:
            given = f'its "type" is {quoted(full)}' if full is not None else 'it has no "type"'
            self._wrong(f'{given}; write the node\'s type and version, such as "core.ksampler@1".', id, code="bad_type")
            return "", None
        match = _TYPE.fullmatch(full)
        if match:
            known: tuple[str, int | None] = match[1], int(match[2])
        elif is_subgraph(full):
            problem = subgraph_path_problem(subgraph_file(full))
            if problem:
                self._wrong(problem, id, code="subgraph_path", value=full)
            known = full, None
        else:
            if "@" not in full:
                message = f'the type {quoted(full)} has no version; write the one that saved it, "{full}@1".'
            elif "." not in full:
                message = f'the type {quoted(full)} has no pack; write "pack.node@version", such as "core.ksampler@1".'
            else:
                message = f'{quoted(full)} is not a type; write "pack.node@version", such as "core.ksampler@1".'
            self._wrong(message, id, code="bad_type", value=full)
            known = full, None
        self._types[full] = known
        return known

    def _object(self, id: str, part: Any, key: str) -> dict[str, Any]:
        if type(part) is dict:
            return part
        self._wrong(f'"{key}" is {quoted(part)}; it is an object, {{...}}, by input name.', id)
        return {}

    def _places(self, given: Any, what: str, form: str, id: str = "", input: str = "") -> list[str]:
        places = given if type(given) is list else [given]
        for place in places:
            if type(place) is not str or not PLACE.fullmatch(place):
                message = f'{what} is {quoted(place)}; write "{form}" or a list of them.'
                self._wrong(message, id, input, code="bad_place", value=place)
                return []
        if not places:
            self._wrong(f'{what} is an empty list; write "{form}" or remove it.', id, input, code="bad_place")
        return list(places)

    def _map(self, id: str, given: Any) -> list[str]:
        if type(given) is not list or not all(type(name) is str for name in given):
            self._wrong(f'"map" is {quoted(given)}; write a list of input names, such as ["image"].', id)
            return []
        for name in sorted(name for name, times in Counter(given).items() if times > 1):
            self._wrong(f'"map" names the input "{name}" twice; name it once.', id, name)
        return list(given)

    def _unknown_keys(self, obj: dict[str, Any], known: tuple[str, ...], id: str = "") -> None:
        for key in obj:
            if key not in known:
                hint = self.findings.near(key, known)
                self._wrong(f"the key {quoted(key)} is unknown; {hint}", id, code="unknown_key", value=key)

    def _depth(self, value: Any, what: str, id: str = "", input: str = "") -> None:
        layer, depth = _parts([value]), 0
        while layer and depth <= _MAX_DEPTH:
            layer = [part for item in layer for part in _parts(item)]
            depth += 1
        if layer:
            self._wrong(f"{what} is nested deeper than {_MAX_DEPTH} levels.", id, input, code="too_deep")

    def _wrong(
        self, message: str, id: str = "", input: str = "", *, code: str = "wrong_shape", value: Any = None
    ) -> None:
        self.findings.add(message, file=self.file, node=id, input=input, code=code, value=value)


def _parts(item: Any) -> list[Any]:
    inside = item.values() if type(item) is dict else item
    return [part for part in inside if type(part) in (list, dict)]
