"""What a node type looks like from outside, as plain data.

The editor, the checks and the planner work on these descriptions; they are remembered per pack version, so that none of them has to import the
pack. `graphflow.authoring.node` makes them from classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

CachePolicy = Literal["auto", "disk", "never"]
Lane = Literal["device", "io"]
TypeKind = Literal["port", "any", "int", "float", "str", "bool", "choice", "list", "json"]


@dataclass(frozen=True, slots=True)
class TypeSchema:
    """The type of a port, as far as connections and values need it."""

    kind: TypeKind
    name: str
    """As people read it: `Latent`, `int`, `list[Image]`, `"normal" or "karras"`."""
    bases: tuple[str, ...] = ()
    """For port types: `module:Class` of the type itself, then of each port type that it may stand for."""
    item: TypeSchema | None = None
    """For lists: the type of one element."""
    choices: tuple[Any, ...] = ()
    """For choices: the accepted values."""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    color: str = ""
    """Colour of the port, `#rrggbb`."""

    @property
    def is_port(self) -> bool:
        """Whether values of this type come over links only."""
        return self.kind == "port" or (self.item is not None and self.item.is_port)

    @property
    def limits(self) -> str:
        """The accepted range in words, such as `1 to 1000`; empty when there is none."""
        low, high = (self.ge, self.gt), (self.le, self.lt)
        if self.ge is not None and self.le is not None:
            return f"{_number(self.ge)} to {_number(self.le)}"
        words = []
        if low[0] is not None:
            words.append(f"{_number(low[0])} or more")
        if low[1] is not None:
            words.append(f"more than {_number(low[1])}")
        if high[0] is not None:
            words.append(f"{_number(high[0])} or less")
        if high[1] is not None:
            words.append(f"less than {_number(high[1])}")
        return " and ".join(words)

    @property
    def accepted(self) -> str:
        """What a value of this type may be, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(_quoted(choice) for choice in self.choices)
        if self.kind == "list" and self.item is not None:
            return f"a list of {self.item.name}"
        names = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
        words = names.get(self.kind, self.name)
        return f"{words}, {self.limits}" if self.limits else words


@dataclass(frozen=True, slots=True)
class InputSchema:
    """One input port."""

    name: str
    type: TypeSchema
    required: bool = True
    """Whether it must have a value or a link."""
    nullable: bool = False
    """Whether null is accepted."""
    default: Any = None
    """Default as JSON; meaningless when required."""
    lazy: bool = False
    """Whether its branch runs only when the node asks."""
    help: str = ""
    widget: dict[str, Any] | None = None
    """How the editor shows it: `{"kind": "Slider", ...}`."""

    @property
    def many(self) -> bool:
        """Whether it takes several links."""
        return self.type.kind == "list"

    @property
    def link_only(self) -> bool:
        """Whether it has no value in saved files."""
        return self.type.is_port

    @property
    def file_kind(self) -> str | None:
        """`ModelFile` or `InputFile` when the value names a file, whose content then counts; else None."""
        kind = (self.widget or {}).get("kind")
        return kind if kind in ("ModelFile", "InputFile") else None


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """One output port."""

    name: str
    type: TypeSchema
    help: str = ""


@dataclass(frozen=True, slots=True)
class NodeSchema:
    """A node type: its ports and how it runs."""

    name: str
    """Without the pack: `ksampler`."""
    version: int
    title: str
    help: str
    inputs: tuple[InputSchema, ...]
    outputs: tuple[OutputSchema, ...]
    cache: CachePolicy = "auto"
    lane: Lane = "device"
    sink: bool = False
    replaces: tuple[str, ...] = ()
    """Older full type names that this node stands in for."""
    has_fingerprint: bool = False
    """Whether the class adds its own fingerprint to the key."""
    pack: str = ""
    """Name of the pack; set when the pack is loaded."""
    category: str = ""
    """Menu category: the folder in the pack."""
    module: str = ""
    """Module that defines the class, relative to the pack's folder: `sampling/ksampler.py`."""
    class_name: str = ""
    code: str = ""
    """Digest of the pack's source, part of the key of every result: who edits a node sees it run again. Empty for built-in nodes, whose
    versions rise with each change of a result."""

    @property
    def type(self) -> str:
        """Full type name: `core.ksampler`."""
        return f"{self.pack}.{self.name}"

    def input(self, name: str) -> InputSchema | None:
        """The input of that name."""
        return next((port for port in self.inputs if port.name == name), None)

    def output(self, name: str) -> OutputSchema | None:
        """The output of that name."""
        return next((port for port in self.outputs if port.name == name), None)


def connects(source: TypeSchema, target: TypeSchema) -> bool:
    """Whether an output of type `source` may be linked to an input of type `target`.

    The same class or a subclass; `int` to `float`; text and numbers to a choice of that kind (checked again when the value is known); one `X` to
    `list[X]`; anything to and from `Any`.
    """
    if source.kind == "any" or target.kind == "any":
        return True
    if source.kind == "list" and target.kind == "list":
        return _item(source).kind == "any" or connects(_item(source), _item(target))
    if target.kind == "list":
        return connects(source, _item(target))
    if source.kind == "port" or target.kind == "port":
        return bool(target.bases) and target.bases[0] in source.bases
    if target.kind == "float":
        return source.kind in ("int", "float")
    if target.kind == "choice":
        return source.kind == "choice" or any(_kind_of(choice) == source.kind for choice in target.choices)
    if source.kind == "choice":
        return all(_kind_of(choice) == target.kind for choice in source.choices)
    if source.kind == "json" or target.kind == "json":
        return source.name == target.name
    return source.kind == target.kind


def problems(value: Any, schema: TypeSchema, *, nullable: bool = False) -> list[str]:
    """What is wrong with a saved value, as sentences; empty when it fits.

    Strict: `"7"` is no number, `7.0` no whole number, `true` no number.
    """
    if value is None and nullable:
        return []
    kind = schema.kind
    if kind == "int":
        return _number_problems(value, schema) if type(value) is int else [_wrong(value, schema)]
    if kind == "float":
        return _number_problems(value, schema) if type(value) in (int, float) else [_wrong(value, schema)]
    if kind == "str":
        return _text_problems(value, schema) if type(value) is str else [_wrong(value, schema)]
    if kind == "bool":
        return [] if type(value) is bool else [_wrong(value, schema)]
    if kind == "choice":
        fits = any(type(value) is type(choice) and value == choice for choice in schema.choices)
        return [] if fits else [f"{_quoted(value)} is not accepted; use {schema.accepted}."]
    if kind == "list":
        return _list_problems(value, schema)
    return []


def _number_problems(value: float, schema: TypeSchema) -> list[str]:
    too_small = (schema.ge is not None and value < schema.ge) or (schema.gt is not None and value <= schema.gt)
    too_large = (schema.le is not None and value > schema.le) or (schema.lt is not None and value >= schema.lt)
    if value != value or value in (float("inf"), float("-inf")):
        return [f"{value} is not a finite number; use {schema.accepted}."]
    if too_small or too_large:
        return [f"{_number(value)} is too {'small' if too_small else 'large'}; use {schema.limits}."]
    return []


def _text_problems(value: str, schema: TypeSchema) -> list[str]:
    import re

    if schema.min_length is not None and len(value) < schema.min_length:
        return [f"{_quoted(value)} is too short; use at least {schema.min_length} characters."]
    if schema.max_length is not None and len(value) > schema.max_length:
        return [f"the text has {len(value)} characters; use at most {schema.max_length}."]
    if schema.pattern is not None and re.search(schema.pattern, value) is None:
        return [f"{_quoted(value)} does not fit the pattern {schema.pattern}."]
    return []


def _list_problems(value: Any, schema: TypeSchema) -> list[str]:
    if type(value) is not list:
        return [_wrong(value, schema)]
    if schema.min_length is not None and len(value) < schema.min_length:
        return [f"the list has {len(value)} elements; use at least {schema.min_length}."]
    if schema.max_length is not None and len(value) > schema.max_length:
        return [f"the list has {len(value)} elements; use at most {schema.max_length}."]
    return [f"element {at}: {text}" for at, item in enumerate(value) for text in problems(item, _item(schema))]


def _wrong(value: Any, schema: TypeSchema) -> str:
    return f"{_quoted(value)} is {_kind_name(value)}; use {schema.accepted}."


def _item(schema: TypeSchema) -> TypeSchema:
    return schema.item or TypeSchema("any", "Any")


def _kind_of(value: Any) -> str:
    return type(value).__name__


def _kind_name(value: Any) -> str:
    names = {
        "NoneType": "null",
        "bool": "true or false",
        "int": "a number",
        "float": "a number with a fraction",
        "str": "text",
        "list": "a list",
        "dict": "an object",
    }
    return names.get(_kind_of(value), _kind_of(value))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e16 else str(value)


def _quoted(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
