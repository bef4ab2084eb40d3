"""Node classes: what `@node` reads off them, and what it refuses."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import ValidationError

from graphflow import (
    Field,
    Image,
    Latent,
    Lazy,
    LongText,
    ModelFile,
    Node,
    NodeContext,
    NodeOutputs,
    Seed,
    Slider,
    migration,
    node,
)
from graphflow.authoring.describe import InputSchema, NodeSchema
from graphflow.errors import NodeDefinitionError


class Mode(enum.Enum):
    """A choice as an enum."""

    SOFT = "soft"
    HARD = "hard"


@node("everything", version=2, cache="disk", lane="io", sink=True, replaces=("old.thing",))
class Everything(Node):
    """One of each.

    And more help.
    """

    image: Image
    masks: list[Latent] = []
    optional: Image | None = None
    steps: int = Field(default=20, ge=1, le=1000)
    """How many."""
    seed: Seed = 0
    guidance: Annotated[float, Slider(0, 30, step=0.5)] = 7.0
    method: Literal["euler", "ddim"] = "euler"
    mode: Mode = Mode.SOFT
    text: LongText = ""
    file: Annotated[str, ModelFile("loras")] = ""
    branch: Lazy[Any] | None = None
    box: tuple[float, float] = (0.0, 1.0)

    class Outputs(NodeOutputs):
        """Two results."""

        first: Image
        """The first."""
        count: int

    def run(self, ctx: NodeContext) -> Outputs:
        return self.Outputs(first=self.image, count=1)

    @migration(from_version=1)
    def _(saved: Any) -> None:
        saved.rename_input("cfg", "guidance")


@pytest.fixture
def schema() -> NodeSchema:
    return Everything.node_spec.schema


def _port(schema: NodeSchema, name: str) -> InputSchema:
    port = schema.input(name)
    assert port is not None
    return port


def test_the_decorator_says_how_a_node_runs(schema: NodeSchema) -> None:
    assert (schema.name, schema.version, schema.cache, schema.lane, schema.sink) == (
        "everything",
        2,
        "disk",
        "io",
        True,
    )
    assert schema.replaces == ("old.thing",)
    assert schema.help == "One of each.\n\nAnd more help."


def test_port_types_come_over_links_only(schema: NodeSchema) -> None:
    linked = [port.name for port in schema.inputs if port.link_only]
    assert linked == ["image", "masks", "optional"]
    assert _port(schema, "masks").many
    assert _port(schema, "image").required
    assert _port(schema, "optional").nullable


def test_limits_help_and_widgets_come_from_the_field(schema: NodeSchema) -> None:
    steps = _port(schema, "steps")
    assert (steps.default, steps.help, steps.type.limits) == (20, "How many.", "1 to 1000")
    assert _port(schema, "guidance").widget == {"kind": "Slider", "low": 0, "high": 30, "step": 0.5}
    assert _port(schema, "seed").type.le == 2**53 - 1
    assert _port(schema, "text").widget == {"kind": "TextArea", "rows": 4}


def test_choices_come_from_literals_and_enums(schema: NodeSchema) -> None:
    assert _port(schema, "method").type.choices == ("euler", "ddim")
    assert (_port(schema, "mode").type.choices, _port(schema, "mode").default) == (("soft", "hard"), "soft")


def test_files_and_lazy_inputs_are_told(schema: NodeSchema) -> None:
    assert _port(schema, "file").file_kind == "ModelFile"
    assert _port(schema, "branch").lazy
    assert _port(schema, "steps").file_kind is None


def test_saved_values_that_json_lacks_are_converted() -> None:
    convert = Everything.node_spec.convert
    assert set(convert) == {"mode", "box"}
    assert convert["mode"].validate_json(b'"hard"', strict=True) is Mode.HARD
    assert convert["box"].validate_json(b"[0.5, 1]", strict=True) == (0.5, 1.0)


def test_outputs_are_named_by_the_class(schema: NodeSchema) -> None:
    assert [(port.name, port.type.name, port.help) for port in schema.outputs] == [
        ("first", "Image", "The first."),
        ("count", "int", ""),
    ]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Image, "image"),
        (int, "int"),
        (list[Image], "images"),
        (list[str], "strs"),
        (Any, "value"),
        (Literal["a"], "choice"),
    ],
)
def test_a_single_output_takes_the_name_of_its_type(annotation: Any, name: str) -> None:
    def run(self: Node, ctx: NodeContext) -> Any:
        return None

    run.__annotations__["return"] = annotation
    cls = type("One", (Node,), {"run": run, "__module__": __name__})
    assert [port.name for port in node("one")(cls).node_spec.schema.outputs] == [name]


def test_a_result_of_another_type_is_refused() -> None:
    @node("number")
    class Number(Node):
        def run(self, ctx: NodeContext) -> int:
            return "seven"  # type: ignore[return-value]

    with pytest.raises(TypeError, match="declared to return int"):
        Number.node_spec.wrap("seven")
    assert Number.node_spec.wrap(7) == {"int": 7}
    with pytest.raises(TypeError, match="declared to return"):
        Everything.node_spec.wrap({"first": 1})


def test_inputs_are_strict_and_frozen() -> None:
    @node("strict")
    class Strict(Node):
        n: int = 0

        def run(self, ctx: NodeContext) -> int:
            return self.n

    with pytest.raises(ValidationError):
        Strict(n="7")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Strict().n = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Strict(m=1)  # type: ignore[call-arg]


def _run(self: Node, ctx: NodeContext) -> int:
    return 1


async def _async_run(self: Node, ctx: NodeContext) -> int:
    return 1


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ({}, {}, "has no `run"),
        ({"run": _run}, {"name": "Bad Name"}, "is not accepted; use lower-case"),
        ({"run": _run}, {"version": 3}, r"needs one migration from each of the versions \[1, 2\]"),
        ({"run": _async_run}, {}, 'needs lane="io"'),
        ({"run": lambda self, ctx: 1}, {}, "return type of run: it is missing"),
        ({"run": _run, "__annotations__": {"copy": int}}, {}, "'copy' belongs to the base class"),
        ({"run": _run, "__annotations__": {"x": set[int]}}, {}, "input 'x'.*cannot be a port"),
        (
            {"run": _run, "__annotations__": {"x": int}, "x": Field(default=0, ge=1)},
            {},
            "its default does not fit: 0 is too small",
        ),
    ],
    ids=["no run", "name", "migrations", "async", "no return type", "base name", "type", "default"],
)
def test_a_wrong_class_is_refused_with_file_class_and_rule(
    parts: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    cls = type("Wrong", (Node,), {"__module__": __name__, **parts})
    with pytest.raises(NodeDefinitionError, match=message) as raised:
        node(options.pop("name", "wrong"), **options)(cls)
    assert "class Wrong" in str(raised.value)
    assert "test_node.py" in str(raised.value)


def test_only_node_classes_can_be_marked() -> None:
    with pytest.raises(NodeDefinitionError, match="derives from graphflow"):
        node("plain")(int)  # type: ignore[type-var]
