"""Tasks: a graph unrolled, one task per execution. A mapped node has one per element; equal tasks are one."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from graphflow.authoring.describe import InputSchema
from graphflow.engine.keys import KeyParts, canonical_values, describe_parts
from graphflow.engine.recipe import LAST_PHASE, NodePorts, Recipes, elementwise
from graphflow.engine.services import Result
from graphflow.errors import GraphflowError
from graphflow.graph.graph import GraphNode


class Ref(NamedTuple):
    """Where a task's input comes from: tasks, their output, and which element of it."""

    tasks: tuple[Task, ...]
    output: str
    whole: bool
    """False when the tasks are the elements of a mapped node, whose outputs make a list."""
    item: int | None = None
    """Element to take out of a list that one task gives."""
    is_list: bool = False
    """Whether the value is a list that a list port is extended by."""

    @property
    def value(self) -> Any:
        """The value, once the tasks are done."""
        if not self.whole:
            return [(task.result or {})[self.output] for task in self.tasks]
        found = (self.tasks[0].result or {})[self.output]
        return found if self.item is None else found[self.item]


class Task:
    """One execution of a node, or of one element of a mapped node."""

    __slots__ = (
        "before",
        "consumers",
        "depth",
        "doom",
        "element",
        "error",
        "inflight",
        "key",
        "lazies",
        "links",
        "needed",
        "node",
        "parts",
        "pinned",
        "ports",
        "priority",
        "result",
        "seen",
        "singles",
        "users",
        "values",
        "waiting",
    )

    def __init__(self, node: int, element: int | None, key: str, ports: NodePorts) -> None:
        self.node = node
        self.element = element
        self.key = key
        self.ports = ports
        phase = LAST_PHASE if ports.is_io and element is not None else ports.phase
        self.priority = phase << 56 | (element or 0) << 28 | node
        """Smaller goes first: element by element within a phase, so that the first picture comes early; then topological order.

        Elements are not all loaded before the first one is worked on.
        One number, as a queue of thousands compares these again and again.
        """
        self.parts: bytes | None = None
        self.values: dict[str, Any] = {}
        self.singles: list[tuple[str, Task, str]] = []
        """Inputs that take one output of one task as it is: name, task, output. Most links are of this kind."""
        self.links: list[tuple[InputSchema, list[Ref]]] = []
        """The other linked inputs."""
        self.before: tuple[Task, ...] = ()
        """The tasks that the links come from, each once; lazy ones left out."""
        self.lazies: list[tuple[InputSchema, list[tuple[int, str]]]] = []
        """Lazy inputs: the nodes and outputs that they would run."""
        self.result: Result | None = None
        self.error: BaseException | None = None
        """Why it has no result: it failed, or something before it did."""
        self.doom: Exception | None = None
        """Why it can never run; it fails with this when it is its turn."""
        self.consumers: list[Task] = []
        self.waiting = 0
        """Needed tasks before it that are not done."""
        self.users = 0
        """Needed tasks after it that have not run yet."""
        self.pinned = False
        """Whether the result must stay: a target, or part of deciding what runs."""
        self.needed = False
        """Whether it must run."""
        self.inflight = False
        """Whether it has begun."""
        self.depth = 0
        """How many lazy inputs it is nested in."""
        self.seen = 0
        """The last walk that met it."""

    def __lt__(self, other: Task) -> bool:
        """Tasks of one priority are one task, queued twice."""
        return False

    def describe(self) -> dict[str, Any]:
        """The parts of its key by name, for `graphflow cache --explain`."""
        return describe_parts(self.parts) if self.parts is not None else {}

    def set_links(self, singles: list[tuple[str, Task, str]], links: list[tuple[InputSchema, list[Ref]]]) -> None:
        """Say where the linked inputs come from."""
        self.singles, self.links = singles, links
        if not links and len(singles) < 2:
            self.before = (singles[0][1],) if singles else ()
            return
        if not links and len(singles) == 2:
            first, second = singles[0][1], singles[1][1]
            self.before = (first,) if first is second else (first, second)
            return
        tasks = [task for _, task, _ in singles]
        tasks += [task for _, refs in links for ref in refs for task in ref.tasks]
        self.before = tuple(dict.fromkeys(tasks))


class FanLengthError(ValueError):
    """The lists that a node is mapped over have different lengths."""


class Unroller:
    """Turns nodes into tasks. What a node runs over must be known: see `sources_to_know`."""

    def __init__(self, recipes: Recipes) -> None:
        self._recipes = recipes
        self._graph = recipes.graph
        self.tasks: dict[int, list[Task]] = {}
        """Tasks of each unrolled node, in element order."""
        self.by_key: dict[str, Task] = {}
        self._some_dead = False

    def dead(self, index: int, error: Exception) -> None:
        """A node that cannot be unrolled: one task stands for it, behind the dead ones before it, and fails with the error."""
        task = Task(index, None, f"dead:{index}", self._recipes.ports[index])
        task.doom = error
        ports = self._recipes.ports[index]
        links = []
        for name, sources in self._graph.nodes[index].links.items():
            broken = [found for source in sources for found in self.tasks.get(source.node, ()) if _is_broken(found)]
            if broken and name not in ports.lazy:
                links.append((ports.by_name[name], [Ref(tuple(broken), "", whole=False)]))
        task.set_links([], links)
        self.tasks[index] = [task]
        self._some_dead = True

    def is_behind_dead(self, index: int) -> bool:
        """Whether a node depends on one that cannot be unrolled, or on a failed value that decides how it runs."""
        deciding = self._recipes.deciding.get(index, ())
        if not self._some_dead and not deciding:
            return False
        lazy = self._recipes.ports[index].lazy
        return any(
            (task.doom is not None and task.element is None) or (source.node in deciding and task.error is not None)
            for name, sources in self._graph.nodes[index].links.items()
            if name not in lazy
            for source in sources
            for task in self.tasks[source.node][:1]
        )

    def unroll(self, index: int, fan: list[str] | None = None) -> None:
        """Make the tasks of a node whose upstream nodes are unrolled.

        `fan` holds the element keys of a stored result, whose tasks then need no links. Raises FanLengthError, or what reading a file raises;
        of a mapped node only the elements fail whose own files cannot be read.
        """
        node = self._graph.nodes[index]
        if not self._recipes.mapped[index]:
            self.tasks[index] = [self._single(index, node)]
        elif fan is not None:
            self.tasks[index] = [self._task(index, at, key) for at, key in enumerate(fan)]
        else:
            self.tasks[index] = [self._element_or_dead(index, node, at) for at in range(self._length(node))]

    def cached(self, index: int) -> None:
        """Make the single task of a node whose stored result will do; it needs no links."""
        key = self._recipes.keys[index]
        assert key is not None
        self.tasks[index] = [self._task(index, None, key)]

    def _task(self, index: int, element: int | None, key: str) -> Task:
        task = self.by_key.get(key)
        if task is None:
            task = self.by_key[key] = Task(index, element, key, self._recipes.ports[index])
        return task

    def _single(self, index: int, node: GraphNode) -> Task:
        recipes = self._recipes
        key, ports = recipes.keys[index], recipes.ports[index]
        singles, links = self._links(node, ports)
        if key is None:
            # What the key waited for is known by now.
            key = recipes.set_key(index, self._parts(index, node, node.values, singles, links))
        task = self._task(index, None, key)
        task.parts, task.values = recipes.parts[index], node.values
        task.set_links(singles, links)
        if ports.lazy:
            task.lazies = self._lazies(node, ports)
        return task

    def _links(
        self, node: GraphNode, ports: NodePorts, element: int | None = None
    ) -> tuple[list[tuple[str, Task, str]], list[tuple[InputSchema, list[Ref]]]]:
        singles, links = [], []
        mapped = self._recipes.mapped
        for name, sources in node.links.items():
            if name in ports.lazy:
                continue
            port = ports.by_name[name]
            if element is None and not port.many and not mapped[sources[0].node]:
                singles.append((name, self.tasks[sources[0].node][0], sources[0].output))
            else:
                links.append((port, [self._ref(node, name, at, element) for at in range(len(sources))]))
        return singles, links

    def _lazies(self, node: GraphNode, ports: NodePorts) -> list[tuple[InputSchema, list[tuple[int, str]]]]:
        return [
            (ports.by_name[name], [(source.node, source.output) for source in sources])
            for name, sources in node.links.items()
            if name in ports.lazy
        ]

    def _length(self, node: GraphNode) -> int:
        lengths: dict[str, int] = {}
        for name in sorted(node.mapped):
            if name in node.values:
                lengths[name] = len(node.values[name])
        for name, sources in node.links.items():
            for position, source in enumerate(sources):
                if elementwise(node, name, position):
                    lengths[name] = self._source_length(source.node, source.output)
        if len(set(lengths.values())) > 1:
            told = ", ".join(f'"{name}" has {length}' for name, length in sorted(lengths.items()))
            raise FanLengthError(f"it is mapped over lists of different lengths: {told}; give lists of one length")
        return next(iter(lengths.values()))

    def _source_length(self, source: int, output: str) -> int:
        tasks = self.tasks[source]
        if self._graph.nodes[source].is_mapped:
            return len(tasks)
        value = (tasks[0].result or {})[output]
        if not isinstance(value, list):
            raise FanLengthError(f"it is mapped over a {type(value).__name__}; give a list")
        return len(value)

    def _element_or_dead(self, index: int, node: GraphNode, at: int) -> Task:
        try:
            return self._element(index, node, at)
        except GraphflowError as error:
            task = Task(index, at, f"dead:{index}:{at}", self._recipes.ports[index])
            task.doom = error
            return task

    def _element(self, index: int, node: GraphNode, at: int) -> Task:
        ports = self._recipes.ports[index]
        values = {
            name: _one_of(value, at, many=ports.by_name[name].many) if name in node.mapped else value
            for name, value in node.values.items()
        }
        singles, links = self._links(node, ports, at)
        parts = self._parts(index, node, values, singles, links)
        key, written = self._recipes.maker.key(parts)
        task = self._task(index, at, key)
        task.parts, task.values = written, values
        task.set_links(singles, links)
        task.lazies = self._lazies(node, ports)
        return task

    def _ref(self, node: GraphNode, name: str, position: int, element: int | None = None) -> Ref:
        source = node.links[name][position]
        tasks = self.tasks[source.node]
        is_list = source.output in self._recipes.ports[source.node].lists
        taken = element is not None and elementwise(node, name, position)
        # By position: a fan-in of thousands makes one of these per link.
        if self._recipes.mapped[source.node]:
            if taken and element is not None:
                return Ref((tasks[element],), source.output, True, None, is_list)
            return Ref(tuple(tasks), source.output, False, None, True)
        if taken:
            return Ref((tasks[0],), source.output, True, element, False)
        return Ref((tasks[0],), source.output, True, None, is_list)

    def _parts(
        self,
        index: int,
        node: GraphNode,
        values: dict[str, Any],
        singles: list[tuple[str, Task, str]],
        links: list[tuple[InputSchema, list[Ref]]],
    ) -> KeyParts:
        recipes, schema = self._recipes, node.schema
        ports = recipes.ports[index]
        described = {name: [[task.key, output]] for name, task, output in singles}
        described |= {port.name: [self._ref_part(ref) for ref in refs] for port, refs in links}
        for port, sources in self._lazies(node, ports):
            described[port.name] = [[recipes.keys[source] or uuid.uuid4().hex, output] for source, output in sources]
        named = dict(values)
        for port in ports.files:
            named |= {name: (task.result or {})[output] for name, task, output in singles if name == port.name}
            named |= {each.name: bind(each, refs) for each, refs in links if each.name == port.name}
        files = recipes.file_parts(ports, named) if ports.files else {}
        parts: KeyParts = [ports.identity, schema.version, canonical_values(ports.by_name, values), described, files]
        if schema.has_fingerprint:
            linked = {name: (task.result or {})[output] for name, task, output in singles}
            linked |= {port.name: bind(port, refs) for port, refs in links}
            parts[4] = {**files, "": recipes.own_fingerprint(node, {**values, **linked})}
        if schema.cache == "never":
            parts.append(recipes.keys[index] or uuid.uuid4().hex)
        return parts

    def _ref_part(self, ref: Ref) -> Any:
        if not ref.whole:
            return [[task.key, ref.output] for task in ref.tasks]
        if ref.item is None:
            return [ref.tasks[0].key, ref.output]
        value = ref.value
        plain = value is None or type(value) in (bool, int, float, str)
        return {"=": value} if plain else [ref.tasks[0].key, ref.output, ref.item]


def _is_broken(task: Task) -> bool:
    return task.doom is not None or task.error is not None


def _one_of(values: list[Any], at: int, *, many: bool) -> Any:
    return [values[at]] if many else values[at]


def bind(port: InputSchema, refs: list[Ref]) -> Any:
    """The value of a linked input, once its tasks are done: one value, or for a list port the links in order."""
    if not port.many:
        return refs[0].value
    gathered: list[Any] = []
    for ref in refs:
        if ref.is_list:
            gathered.extend(ref.value)
        else:
            gathered.append(ref.value)
    return gathered
