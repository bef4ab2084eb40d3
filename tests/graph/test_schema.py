"""The published schema says what the loader says.

The few keywords of JSON Schema that the file uses are evaluated here, so that the test needs no other package.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import graphflow.graph
from graphflow.errors import WorkflowError
from graphflow.graph import document_from

SCHEMA = json.loads((Path(graphflow.graph.__file__).parent / "schema.json").read_text(encoding="utf-8"))
KEYWORDS = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "required", "additionalProperties"}
KEYWORDS |= {"properties", "propertyNames", "const", "pattern", "oneOf", "items", "minItems", "uniqueItems"}
TYPES = {"object": dict, "array": list, "string": str}

EXAMPLE = {
    "graphflow": 1,
    "name": "Fox and owl",
    "packs": {"core": "0.3"},
    "params": {"prompt": "encode.text", "seed": "sample.seed", "width": ["empty.width", "decode.width"]},
    "outputs": {"image": "save.image"},
    "nodes": {
        "checkpoint": {"type": "core.load_checkpoint@1", "values": {"file": "sd15.safetensors"}},
        "fox": {"type": "core.instance@1", "values": {"caption": "a red fox", "box": [0.1, 0.4, 0.5, 0.9]}},
        "place": {
            "type": "core.unifusion@1",
            "values": {"weights": "unifusion.safetensors"},
            "links": {"denoiser": "checkpoint.denoiser", "instances": ["fox.instance", "owl.instance"]},
        },
        "light": {"type": "workflow:../parts/light.json", "values": {"x": [1]}, "map": ["x"]},
    },
    "view": {"checkpoint": [40, 80], "fox": [40, 260]},
}


def valid(value: Any, schema: Any) -> bool:
    """Whether a value fits the schema, for the keywords of this file."""
    if isinstance(schema, bool):
        return schema
    assert schema.keys() <= KEYWORDS
    if "$ref" in schema:
        return valid(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if "const" in schema and (type(value) is not type(schema["const"]) or value != schema["const"]):
        return False
    if "oneOf" in schema and sum(valid(value, option) for option in schema["oneOf"]) != 1:
        return False
    if isinstance(value, str):
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if isinstance(value, list):
        unique = len({json.dumps(item) for item in value}) == len(value) or not schema.get("uniqueItems")
        fits = all(valid(item, schema.get("items", True)) for item in value)
        return unique and fits and len(value) >= schema.get("minItems", 0)
    return not isinstance(value, dict) or _valid_object(value, schema)


def _valid_object(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    parts, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    names = all(valid(name, schema.get("propertyNames", True)) for name in value)
    return (
        names
        and value.keys() >= set(schema.get("required", []))
        and all(valid(value[name], parts.get(name, rest)) for name in value)
    )


def loads(value: Any) -> bool:
    try:
        document_from(value, "x")
    except WorkflowError:
        return False
    return True


def change(*path: str, to: Any) -> dict[str, Any]:
    """The example with one place changed."""
    changed = json.loads(json.dumps(EXAMPLE))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return dict(changed)


CASES: list[tuple[Any, bool]] = [
    (EXAMPLE, True),
    ({"graphflow": 1}, True),
    ({}, False),
    ([], False),
    (change("graphflow", to=2), False),
    (change("graphflow", to="1"), False),
    (change("name", to=1), False),
    (change("extra", to=1), False),
    (change("packs", "core", to=0.3), False),
    (change("params", "prompt", to="encode"), False),
    (change("params", "prompt", to=[]), False),
    (change("params", "a b", to="encode.text"), False),
    (change("outputs", "image", to=["save.image"]), False),
    (change("nodes", "a.b", to={"type": "core.number@1"}), False),
    (change("nodes", "fox", to=[]), False),
    (change("nodes", "fox", to={}), False),
    (change("nodes", "fox", "type", to="core.instance"), False),
    (change("nodes", "fox", "type", to="core.instance@0"), False),
    (change("nodes", "fox", "type", to="workflow:"), False),
    (change("nodes", "fox", "type", to="workflow:/etc/x.json"), False),
    (change("nodes", "fox", "type", to="workflow:a\\b.json"), False),
    (change("nodes", "fox", "values", to=[]), False),
    (change("nodes", "fox", "value", to={}), False),
    (change("nodes", "fox", "links", to={"x": 1}), False),
    (change("nodes", "fox", "links", to={"x": []}), False),
    (change("nodes", "fox", "links", to={"x": "a.b"}), True),
    (change("nodes", "fox", "map", to=["a", "a"]), False),
    (change("nodes", "fox", "map", to=["a"]), True),
    (change("nodes", "fox", "map", to="a"), False),
    (change("view", to=[]), False),
    (change("view", "anything", to={"title": "frame"}), True),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_schema_and_loader_agree(number: int) -> None:
    value, right = CASES[number]
    assert valid(value, SCHEMA) is right
    assert loads(value) is right


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "workflows").rglob("*.json")), ids=lambda file: file.name
)
def test_the_bundled_workflows_fit(file: Path) -> None:
    assert valid(json.loads(file.read_text(encoding="utf-8")), SCHEMA)
