"""Wrong workflows, as a table: each gives one clear message with its place, and never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphflow.errors import Finding, WorkflowError
from graphflow.graph import check, parse_document
from graphflow.graph.graph import NodeTypes

NUMBER = {"type": "core.number@1"}


def saved(**nodes: Any) -> str:
    """A workflow file of these nodes."""
    return json.dumps({"graphflow": 1, "nodes": nodes})


def top(**parts: Any) -> str:
    """A workflow file of these parts and one node `n`."""
    return json.dumps({"graphflow": 1, "nodes": {"n": NUMBER}} | parts)


def words(**values: Any) -> str:
    """A workflow file of one node with settings of every kind."""
    return saved(w={"type": "core.words@1", "values": values})


def link(place: Any, **more: Any) -> str:
    """A node `a` that is linked to `place`, beside a number `n`."""
    return saved(n=NUMBER, a={"type": "core.add@1", "links": {"a": place}} | more)


# What is in the file; the code of the finding; what its line must contain.
BAD: dict[str, tuple[str | bytes, str, tuple[str, ...]]] = {
    # Not JSON.
    "empty file": ("", "malformed_json", ("bad.json", "empty")),
    "white space only": (" \n\t\n", "malformed_json", ("empty",)),
    "not JSON at all": ("hello", "malformed_json", ("line 1, column 1", "not JSON")),
    "missing comma": ('{"graphflow": 1\n "nodes": {}}', "malformed_json", ("line 2, column 2", "','")),
    "trailing comma": ('{"graphflow": 1,\n "nodes": {},\n}', "malformed_json", ("comma", "remove")),
    "single quotes": ("{'graphflow': 1}", "malformed_json", ("line 1, column 2", "double quotes")),
    "cut off": ('{"graphflow": 1, "nodes": {', "malformed_json", ("ends too early",)),
    "cut off in a text": ('{"graphflow": 1, "name": "fo', "malformed_json", ("line 1, column 26", "not closed")),
    "comment": ('{"graphflow": 1, // one\n "nodes": {}}', "malformed_json", ("line 1, column 18", "comments")),
    "two objects": ('{"graphflow": 1}{}', "malformed_json", ("extra data", "column 17")),
    "NaN": (
        '{"graphflow": 1, "nodes": {"n": {"type": "core.number@1", "values": {"value": NaN}}}}',
        "malformed_json",
        ("NaN",),
    ),
    "infinity": ('{"graphflow": 1, "view": {"a": -Infinity}}', "malformed_json", ("-Infinity",)),
    "number beyond all": ('{"graphflow": 1, "view": {"a": 1e999}}', "malformed_json", ("1e999", "finite")),
    "endless number": ('{"graphflow": 1, "view": {"a": ' + "9" * 5000 + "}}", "malformed_json", ("digits",)),
    "latin-1": ('{"graphflow": 1,\n "name": "caf\xe9"}'.encode("latin-1"), "not_utf8", ("line 2", "UTF-8")),
    "half a character": ('{"graphflow": 1, "name": "\\ud83d"}', "not_utf8", ("\\ud83d",)),
    "deep brackets": ("[" * 200_000, "too_deep", ("nested too deep",)),
    "too large": ("[" + " " * (64 << 20) + "]", "too_large", ("64 MiB",)),
    # Not a workflow.
    "a list": ("[]", "not_an_object", ("JSON object", "[]")),
    "a text": ('"fox"', "not_an_object", ("JSON object", '"fox"')),
    "null": ("null", "not_an_object", ("null",)),
    "no format": ('{"nodes": {}}', "missing_format", ('"graphflow" is missing', '"graphflow": 1')),
    "newer format": ('{"graphflow": 2, "later": []}', "newer_format", ("format 2", "Update graphflow")),
    "format as text": ('{"graphflow": "1"}', "bad_format", ('"1"',)),
    "format 0": ('{"graphflow": 0}', "bad_format", ("0",)),
    "format true": ('{"graphflow": true}', "bad_format", ("true",)),
    "ComfyUI api": ('{"3": {"class_type": "KSampler", "inputs": {}}}', "comfyui", ("ComfyUI", "graphflow import")),
    "ComfyUI editor": ('{"last_node_id": 3, "nodes": [], "links": []}', "comfyui", ("ComfyUI", "graphflow import")),
    # Wrong shapes.
    "unknown key": (top(node={}), "unknown_key", ('"node"', 'did you mean "nodes"')),
    "name is a number": (top(name=7), "wrong_shape", ('"name" is 7',)),
    "packs is a list": (top(packs=["core"]), "wrong_shape", ('"packs" is ["core"]',)),
    "pack version is a number": (top(packs={"core": 0.3}), "wrong_shape", ('"core" is 0.3', "text")),
    "params is null": (top(params=None), "wrong_shape", ('"params" is null',)),
    "param is a number": (top(params={"x": 7}), "bad_place", ('"x" is 7', "node.input")),
    "param without input": (top(params={"x": "n"}), "bad_place", ('"x" is "n"', "node.input")),
    "param without places": (top(params={"x": []}), "bad_place", ('"x" is an empty list',)),
    "param with spaces": (top(params={"a b": "n.value"}), "bad_id", ('"a b"', "letters")),
    "output is a list": (top(outputs={"x": ["n.int"]}), "wrong_shape", ('"x"', "node.output")),
    "nodes is a list": (top(nodes=[NUMBER]), "wrong_shape", ('"nodes" is', "object")),
    "view is a list": (top(view=[1]), "wrong_shape", ('"view" is [1]',)),
    "node is a text": (saved(n="core.number@1"), "wrong_shape", ('node "n"', "object")),
    "node without type": (saved(n={}), "bad_type", ('node "n"', 'no "type"')),
    "type is a number": (saved(n={"type": 1}), "bad_type", ('"type" is 1',)),
    "type without version": (saved(n={"type": "core.number"}), "bad_type", ("no version", "core.number@1")),
    "type without pack": (saved(n={"type": "number@1"}), "bad_type", ("no pack",)),
    "type with version 0": (saved(n={"type": "core.number@0"}), "bad_type", ('"core.number@0" is not a type',)),
    "id with a space": (saved(**{"a b": NUMBER}), "bad_id", ('"a b"', "letters, digits")),
    "id with a digit first": (saved(**{"1": NUMBER}), "bad_id", ('"1"',)),
    "id with a dot": (saved(**{"a.b": NUMBER}), "bad_id", ('"a.b"',)),
    "empty id": (saved(**{"": NUMBER}), "bad_id", ('""',)),
    "unknown node key": (saved(n=NUMBER | {"value": {}}), "unknown_key", ('node "n"', 'did you mean "values"')),
    "values is a list": (saved(n=NUMBER | {"values": [1]}), "wrong_shape", ('"values" is [1]',)),
    "links is a list": (saved(n=NUMBER | {"links": ["n.int"]}), "wrong_shape", ('"links" is',)),
    "link is a number": (link(1), "bad_place", ('node "a"', 'input "a"', "the link is 1", "node.output")),
    "link is a ComfyUI pair": (link(["n", 0]), "bad_place", ('the link is "n"',)),
    "link without output": (link("n"), "bad_place", ("node.output",)),
    "link list is empty": (link([]), "bad_place", ("empty list",)),
    "map is a text": (saved(n=NUMBER | {"map": "value"}), "wrong_shape", ('"map" is "value"', '["image"]')),
    "map names an input twice": (
        saved(n=NUMBER | {"values": {"value": [1]}, "map": ["value", "value"]}),
        "wrong_shape",
        ('"value" twice',),
    ),
    "value nested too deep": (words(box=json.loads("[" * 100 + "]" * 100)), "too_deep", ('input "box"', "64")),
    "duplicate node id": (
        '{"graphflow": 1, "nodes": {"n": {"type": "core.number@1"}, "n": {"type": "core.number@1"}}}',
        "duplicate_node",
        ('node "n"', 'the id "n"', "rename"),
    ),
    "duplicate top key": ('{"graphflow": 1, "graphflow": 1}', "duplicate_key", ('"graphflow" is given twice',)),
    "duplicate value": (
        '{"graphflow": 1, "nodes": {"n": {"type": "core.number@1", "values": {"value": 1, "value": 2}}}}',
        "duplicate_key",
        ('node "n"', 'input "value"', "twice"),
    ),
    # Types that are not there.
    "unknown type": (saved(n={"type": "core.numbr@1"}), "unknown_type", ('node "n"', "core.numbr", "core.number")),
    "unknown pack": (saved(n={"type": "glow.place@1"}), "unknown_pack", ('install the pack "glow"', "remove the node")),
    "broken pack": (saved(n={"type": "torn.page@1"}), "pack_failed", ('"torn"', "No module named 'ink'")),
    "newer node": (
        saved(n={"type": "core.number@9"}),
        "newer_node",
        ("version 9", "version 1", 'update the pack "core"'),
    ),
    "failing migration": (
        saved(n={"type": "core.fragile@1"}),
        "migration_failed",
        ('node "n"', "version 1", "KeyError"),
    ),
    # Inputs.
    "missing value": (saved(a={"type": "core.add@1"}), "missing_input", ('node "a"', 'input "a"', "a whole number")),
    "missing link": (
        saved(b={"type": "core.blend@1"}),
        "missing_input",
        ('input "paints"', "links from outputs of type Paint"),
    ),
    "unknown input": (words(txt="x"), "unknown_input", ('input "txt"', 'did you mean "text"')),
    "unknown linked input": (
        saved(n=NUMBER, m=NUMBER | {"links": {"valeu": "n.int"}}),
        "unknown_input",
        ('node "m"', 'did you mean "value"'),
    ),
    "value on a link": (
        saved(
            m={"type": "core.mix@1", "values": {"name": "red"}},
            b={"type": "core.blend@1", "values": {"paints": ["red"]}},
        ),
        "value_on_link_only",
        ('input "paints"', "outputs of type Paint", "no value"),
    ),
    "value and link": (link("n.int", values={"a": 3}), "value_and_link", ('input "a"', "both", "keep one")),
    "two links on one": (link(["n.int", "n.int"]), "several_links", ("2 links", "takes one")),
    # Values.
    "too small": (saved(n=NUMBER | {"values": {"value": -1001}}), "bad_value", ("-1001 is too small", "-1000 to 1000")),
    "too large number": (saved(n=NUMBER | {"values": {"value": 1001}}), "bad_value", ("1001 is too large",)),
    "text for a number": (saved(n=NUMBER | {"values": {"value": "7"}}), "bad_value", ('"7" is text', "whole number")),
    "fraction": (saved(n=NUMBER | {"values": {"value": 7.5}}), "bad_value", ("fraction",)),
    "true for a number": (saved(n=NUMBER | {"values": {"value": True}}), "bad_value", ("true",)),
    "null for a number": (saved(n=NUMBER | {"values": {"value": None}}), "bad_value", ("null",)),
    "not above": (words(weight=0), "bad_value", ("0 is too small", "more than 0")),
    "endless float": (words(weight=1e999), "malformed_json", ("Infinity",)),
    "number for a text": (words(text=1), "bad_value", ("use text",)),
    "text too long": (words(text="x" * 51), "bad_value", ("51 characters", "at most 50")),
    "pattern": (words(code="A1"), "bad_value", ('"A1"', "^[a-z]+$")),
    "unknown choice": (words(style="quiet"), "bad_value", ('"quiet"', '"plain", "loud"')),
    "text for true": (words(enabled="yes"), "bad_value", ('"yes"', "true or false")),
    "list too long": (words(tags=["a", "b", "c", "d"]), "bad_value", ("4 elements", "at most 3")),
    "wrong element": (words(tags=["a", 2]), "bad_value", ("element 1", "2")),
    "text for a list": (words(tags="a"), "bad_value", ('"a" is text', "list of str")),
    "negative seed": (words(seed=-1), "bad_value", ("-1 is too small",)),
    "seed of 64 bits": (words(seed=2**53), "bad_value", ("too large", "9007199254740991")),
    # Links.
    "unknown node": (link("m.int"), "unknown_node", ('node "a"', '"m.int"', 'no node "m"')),
    "unknown output": (link("n.number"), "unknown_output", ('"n" (core.number)', 'no output "number"', "it has int")),
    "no outputs": (
        saved(s={"type": "core.show@1", "values": {"value": 1}}, a={"type": "core.add@1", "links": {"a": "s.value"}}),
        "unknown_output",
        ("it has no outputs",),
    ),
    "types do not fit": (
        saved(m={"type": "core.mix@1", "values": {"name": "red"}}, a={"type": "core.add@1", "links": {"a": "m.paint"}}),
        "link_type",
        ('"m.paint" gives Paint', "takes int"),
    ),
    "base class for a subclass": (
        saved(
            m={"type": "core.mix@1", "values": {"name": "red"}},
            b={"type": "core.blend@1", "links": {"paints": "m.paint", "lid": "m.paint"}},
        ),
        "link_type",
        ("gives Paint", "takes GlossyPaint"),
    ),
    "list for one": (
        saved(r={"type": "core.range@1"}, a={"type": "core.add@1", "links": {"a": "r.ints"}}),
        "link_type",
        ("gives list[int]", "takes int"),
    ),
    "mapped for one": (
        saved(
            n=NUMBER | {"values": {"value": [1, 2]}, "map": ["value"]},
            a={"type": "core.add@1", "links": {"a": "n.int"}},
        ),
        "link_type",
        ("gives list[int], as that node is mapped", "takes int"),
    ),
    "self link": (saved(a={"type": "core.add@1", "links": {"a": "a.int"}}), "self_link", ('node "a"', "itself")),
    "cycle": (
        saved(
            c={"type": "core.add@1", "links": {"a": "b.int"}},
            a={"type": "core.add@1", "links": {"a": "c.int"}},
            b={"type": "core.add@1", "links": {"a": "a.int"}},
        ),
        "cycle",
        ('node "a"', "a -> b -> c -> a"),
    ),
    # Maps.
    "map over an unknown input": (
        saved(n=NUMBER | {"map": ["valu"]}),
        "unknown_input",
        ('"valu"', 'did you mean "value"'),
    ),
    "map without a list": (saved(n=NUMBER | {"map": ["value"]}), "map_without_list", ('input "value"', "neither")),
    "map over one value": (
        saved(n=NUMBER | {"values": {"value": 3}, "map": ["value"]}),
        "map_without_list",
        ("list", "3"),
    ),
    "map over unequal lists": (
        saved(a={"type": "core.add@1", "values": {"a": [1, 2], "b": [1, 2, 3]}, "map": ["a", "b"]}),
        "unequal_lists",
        ('node "a"', '"a" has 2', '"b" has 3'),
    ),
    "wrong element of a map": (
        saved(n=NUMBER | {"values": {"value": [1, "2"]}, "map": ["value"]}),
        "bad_value",
        ("element 1", '"2" is text'),
    ),
    "map over a single link": (link("n.int", map=["a"]), "link_type", ('"n.int" gives int', "list[int]")),
    "map over a lazy input": (
        saved(
            s={
                "type": "core.switch@1",
                "values": {"condition": True, "on_true": [1], "on_false": 2},
                "map": ["on_true"],
            }
        ),
        "map_over_lazy",
        ("lazy",),
    ),
    # What is exposed.
    "parameter of no node": (top(params={"x": "m.value"}), "unknown_node", ('the parameter "x"', 'no node "m"')),
    "parameter of no input": (top(params={"x": "n.valu"}), "unknown_input", ('"n.valu"', 'did you mean "value"')),
    "output of no node": (top(outputs={"x": "m.int"}), "unknown_node", ('the output "x"', 'no node "m"')),
    "output of no output": (top(outputs={"x": "n.image"}), "unknown_output", ('the output "x"', "it has int")),
    # Subgraphs.
    "subgraph without a file": (saved(n={"type": "workflow:"}), "subgraph_path", ("names no file",)),
    "absolute subgraph": (saved(n={"type": "workflow:/etc/x.json"}), "subgraph_path", ("relative",)),
    "subgraph on a drive": (saved(n={"type": "workflow:C:x.json"}), "subgraph_path", ("relative",)),
    "subgraph with backslash": (saved(n={"type": "workflow:a\\b.json"}), "subgraph_path", ("forward slashes",)),
    "missing subgraph": (saved(n={"type": "workflow:gone.json"}), "missing_subgraph", ('"gone.json"', "bad.json")),
}


def findings_of(text: str | bytes, types: NodeTypes) -> list[Finding]:
    """What loading and checking a file find."""
    try:
        doc = parse_document(text, label="bad.json")
    except WorkflowError as error:
        return list(error.findings)
    return check(doc, types).findings


@pytest.mark.parametrize("name", BAD)
def test_each_bad_input_gives_one_clear_message(name: str, types: NodeTypes) -> None:
    text, code, parts = BAD[name]
    findings = findings_of(text, types)
    assert [found.code for found in findings] == [code], [str(found) for found in findings]
    line = str(findings[0])
    assert line.startswith("bad.json")
    assert line.endswith((".", "?"))
    assert "Traceback" not in line
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_there_are_at_least_sixty_bad_inputs() -> None:
    assert len(BAD) >= 60


def test_all_findings_are_reported_at_once(types: NodeTypes) -> None:
    text = saved(
        n=NUMBER | {"values": {"value": 5000, "valu": 1}},
        a={"type": "core.add@1", "values": {"b": "x"}, "links": {"a": "m.int"}},
        g={"type": "glow.place@1"},
        b={"type": "core.blend@1", "links": {"lid": "n.int"}},
    )
    codes = [found.code for found in findings_of(text, types)]
    expected = ["bad_value", "bad_value", "link_type", "missing_input", "unknown_input", "unknown_node", "unknown_pack"]
    assert sorted(codes) == expected


def test_all_wrong_shapes_are_reported_at_once(types: NodeTypes) -> None:
    text = json.dumps({"graphflow": 1, "name": 1, "nodes": {"a b": [], "c": {"type": "x", "map": 1}}, "vieww": {}})
    codes = sorted(found.code for found in findings_of(text, types))
    assert codes == ["bad_id", "bad_type", "unknown_key", "wrong_shape", "wrong_shape", "wrong_shape"]


def test_a_thousand_wrong_links_stay_quick_to_explain(types: NodeTypes) -> None:
    nodes = {f"n{i}": {"type": "core.add@1", "links": {"a": f"m{i}.int"}} for i in range(1000)}
    assert len(findings_of(saved(**nodes), types)) == 1000
