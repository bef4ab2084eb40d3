"""Nodes: a frozen class whose fields are the inputs, whose `run` is the work and whose return type names the outputs.

@node("brighten")
class Brighten(Node):
    \"\"\"Make a picture brighter.\"\"\"

    image: Image
    amount: float = Field(default=0.1, ge=-1, le=1)
    \"\"\"Added to every channel.\"\"\"

    def run(self, ctx: NodeContext) -> Image:
        return Image((self.image.pixels + self.amount).clamp(0, 1))
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from graphflow.authoring.annotations import UnsupportedAnnotation, find_widget, strip_lazy, strip_optional, type_schema
from graphflow.authoring.describe import CachePolicy, InputSchema, Lane, NodeSchema, OutputSchema, TypeSchema, problems
from graphflow.authoring.migration import Migration, take_migrations
from graphflow.errors import NodeDefinitionError

_CONFIG = ConfigDict(
    frozen=True,
    arbitrary_types_allowed=True,
    extra="forbid",
    strict=True,
    use_attribute_docstrings=True,
    protected_namespaces=(),
)
"""Of nodes and outputs: unchangeable, nothing unknown, no silent conversion, help from the strings below fields."""


class NodeOutputs(BaseModel):
    """Base of the `Outputs` class of a node with several results: one field per output, its help in the string below."""

    model_config = _CONFIG


class Node(BaseModel):
    """Base of all nodes. Fields are inputs; define `run(self, ctx)` with its return type."""

    model_config = _CONFIG

    node_spec: ClassVar[NodeSpec]
    """Set by `@node`."""

    def fingerprint(self) -> str:
        """Something that joins the key when the inputs alone do not decide the result; override it where needed."""
        return ""


@dataclass(frozen=True)
class NodeSpec:
    """What the engine knows of a node class."""

    cls: type[Node]
    schema: NodeSchema
    migrations: dict[int, Migration]
    """Step from each older version to the next."""
    convert: dict[str, TypeAdapter[Any]]
    """Inputs whose saved JSON must be turned into Python objects: enums, tuples, models."""
    wrap: Callable[[Any], dict[str, Any]]
    """Check what `run` returned against the declaration and name it: output name -> value. Raises TypeError or ValidationError."""
    is_async: bool


N = TypeVar("N", bound=type[Node])


def node(
    name: str,
    *,
    version: int = 1,
    cache: CachePolicy = "auto",
    sink: bool = False,
    lane: Lane = "device",
    replaces: tuple[str, ...] = (),
) -> Callable[[N], N]:
    """Check a node class and describe it. Registers nothing: the pack loader finds marked classes.

    Args:
        name: lower-case words joined by underscores; the pack's name goes before it.
        version: rises when the same inputs would give another result or saved files must change; needs a migration from each older one.
        cache: `auto` keeps results in RAM, and on disk when they took long; `disk` always on disk; `never` for clocks, cameras, the web.
        sink: the node exists for its effect (it saves); sinks are what a run is for by default.
        lane: `device` for work on the device, one at a time; `io` for files and network, may overlap.
        replaces: older full type names, such as `core.k_sampler`, that open as this node.

    Raises:
        NodeDefinitionError: the class breaks a rule; the message names file, class and rule.
    """

    def mark(cls: N) -> N:
        cls.node_spec = _spec(cls, name, version, cache, sink, lane, replaces)
        return cls

    return mark


def _spec(
    cls: type[Node], name: str, version: int, cache: CachePolicy, sink: bool, lane: Lane, replaces: tuple[str, ...]
) -> NodeSpec:
    def refuse(rule: str) -> NodeDefinitionError:
        source = getattr(sys.modules.get(cls.__module__), "__file__", cls.__module__)
        return NodeDefinitionError(f"{source}, class {cls.__name__}: {rule}")

    if not (isinstance(cls, type) and issubclass(cls, Node)):
        raise NodeDefinitionError(f"@node({name!r}) marks {cls!r}; mark a class that derives from graphflow.Node")
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) is None:
        raise refuse(f"the node name {name!r} is not accepted; use lower-case letters, digits and underscores")
    run = cls.__dict__.get("run") or getattr(cls, "run", None)
    if run is None:
        raise refuse("it has no `run(self, ctx)` method")
    if lane == "device" and inspect.iscoroutinefunction(run):
        raise refuse('`async def run` needs lane="io"')
    migrations = dict(take_migrations(cls.__module__, cls.__qualname__))
    if sorted(migrations) != list(range(1, version)):
        raise refuse(
            f"version {version} needs one migration from each of the versions {list(range(1, version))}; found {sorted(migrations)}"
        )

    inputs, convert = [], {}
    for field_name, info in cls.model_fields.items():
        if hasattr(Node, field_name):
            raise refuse(f"the input name {field_name!r} belongs to the base class; choose another")
        try:
            inputs.append(_input(field_name, info))
        except (UnsupportedAnnotation, ValueError) as error:
            raise refuse(f"input {field_name!r}: {error}") from error
        if _needs_conversion(info.annotation):
            convert[field_name] = TypeAdapter[Any](cast("type[Any]", info.annotation))
    try:
        outputs, wrap = _outputs(cls, run)
    except (UnsupportedAnnotation, NameError) as error:
        raise refuse(f"the return type of run: {error}") from error

    schema = NodeSchema(
        name=name,
        version=version,
        title=re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", cls.__name__),
        help=inspect.cleandoc(cls.__doc__ or "") if cls.__doc__ is not Node.__doc__ else "",
        inputs=tuple(inputs),
        outputs=outputs,
        cache=cache,
        lane=lane,
        sink=sink,
        replaces=replaces,
        has_fingerprint=cls.fingerprint is not Node.fingerprint,
        class_name=cls.__qualname__,
    )
    return NodeSpec(cls, schema, migrations, convert, wrap, inspect.iscoroutinefunction(run))


def _input(name: str, info: FieldInfo) -> InputSchema:
    annotation, lazy = strip_lazy(info.annotation)
    annotation, nullable = strip_optional(annotation)
    annotation, lazy_inside = strip_lazy(annotation)
    metadata = list(info.metadata)
    if hasattr(annotation, "__metadata__"):
        metadata = [*annotation.__metadata__, *metadata]
    schema = type_schema(annotation, list(info.metadata))
    required = info.is_required()
    default = None if required else _json_default(info)
    if not required and not schema.is_port and not lazy:
        wrong = problems(default, schema, nullable=nullable)
        if wrong:
            raise ValueError(f"its default does not fit: {wrong[0]}")
    widget = find_widget(metadata)
    return InputSchema(
        name=name,
        type=schema,
        required=required,
        nullable=nullable,
        default=default,
        lazy=lazy or lazy_inside,
        help=inspect.cleandoc(info.description or ""),
        widget=widget.describe() if widget else None,
    )


def _json_default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True, validated_data={})
    if default is None or type(default) in (int, float, str, bool):
        return default
    return TypeAdapter[Any](cast("type[Any]", info.annotation)).dump_python(default, mode="json")


def _needs_conversion(annotation: Any) -> bool:
    """Whether saved JSON is not yet the Python value: enums, tuples, models, and lists of these."""
    plain, lazy = strip_lazy(annotation)
    plain, lazy_inside = strip_lazy(strip_optional(plain)[0])
    if lazy or lazy_inside:
        return False
    schema = type_schema(plain)
    if schema.is_port:
        return False
    while schema.kind == "list" and schema.item is not None:
        schema, plain = schema.item, (get_args(plain) or (Any,))[0]
    return schema.kind == "json" or (isinstance(plain, type) and issubclass(plain, Enum))


def _outputs(
    cls: type[Node], run: Callable[..., Any]
) -> tuple[tuple[OutputSchema, ...], Callable[[Any], dict[str, Any]]]:
    annotation = run.__annotations__.get("return", inspect.Signature.empty)
    if annotation is inspect.Signature.empty:
        raise UnsupportedAnnotation("it is missing; write `def run(self, ctx: NodeContext) -> ...:`")
    if isinstance(annotation, str):
        # The names of the module, and those of the class for a nested `Outputs`.
        scope = {**vars(sys.modules[run.__module__]), **vars(cls)}
        annotation = eval(annotation, scope)  # noqa: S307 - the pack's own source, evaluated as Python itself would
    if annotation is None or annotation is type(None):
        return (), _wrap_nothing
    if isinstance(annotation, type) and issubclass(annotation, NodeOutputs):
        described = tuple(
            OutputSchema(
                name, type_schema(strip_optional(info.annotation)[0]), inspect.cleandoc(info.description or "")
            )
            for name, info in annotation.model_fields.items()
        )
        return described, _wrap_many(annotation)
    schema = type_schema(annotation)
    name = _output_name(schema, annotation)
    return (OutputSchema(name, schema),), _wrap_one(name, annotation, schema)


def _output_name(schema: TypeSchema, annotation: Any) -> str:
    if schema.kind == "list" and schema.item is not None:
        return _output_name(schema.item, (getattr(annotation, "__args__", None) or (Any,))[0]) + "s"
    if schema.kind == "port":
        return str(annotation.port_name())
    return {"any": "value", "choice": "choice", "json": "value"}.get(schema.kind, schema.kind)


def _wrap_nothing(result: Any) -> dict[str, Any]:
    if result is not None:
        raise TypeError(f"run returned {type(result).__name__}, but is declared to return nothing")
    return {}


def _wrap_many(outputs: type[NodeOutputs]) -> Callable[[Any], dict[str, Any]]:
    names = tuple(outputs.model_fields)

    def wrap(result: Any) -> dict[str, Any]:
        if not isinstance(result, outputs):
            raise TypeError(f"run returned {type(result).__name__}, but is declared to return {outputs.__qualname__}")
        return {name: getattr(result, name) for name in names}

    return wrap


def _wrap_one(name: str, annotation: Any, schema: TypeSchema) -> Callable[[Any], dict[str, Any]]:
    if schema.kind == "any":
        return lambda result: {name: result}
    if schema.kind == "port":

        def wrap_port(result: Any) -> dict[str, Any]:
            if not isinstance(result, annotation):
                raise TypeError(f"run returned {type(result).__name__}, but is declared to return {schema.name}")
            return {name: result}

        return wrap_port
    validate = TypeAdapter(
        annotation, config=ConfigDict(arbitrary_types_allowed=True, strict=True)
    ).validator.validate_python

    def wrap(result: Any) -> dict[str, Any]:
        try:
            return {name: validate(result)}
        except ValidationError as error:
            detail = error.errors()[0]["msg"]
            raise TypeError(f"run returned {result!r:.80}, but is declared to return {schema.name}: {detail}") from None

    return wrap
