"""A real engine on a small pack of nodes that work on numbers; the cache is a real one in a temporary folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

from graphflow import Field, InputFile, Lazy, ModelFile, Node, NodeContext, NodeOutputs, PortType, node
from graphflow.app import App
from graphflow.cache.artifacts import ArtifactStore
from graphflow.engine.control import RunControl
from graphflow.engine.events import Event, NodeCached, NodeFinished
from graphflow.engine.report import RunReport
from graphflow.graph import document_from
from graphflow.graph.graph import Graph
from graphflow.packs.registry import Registry
from graphflow.ports import File
from graphflow.settings import Settings

calls: list[str] = []
"""Names of the nodes that ran, in order, across all threads."""
running = threading.Semaphore(0)


@node("add")
class Add(Node):
    """Add two numbers."""

    a: int = 0
    b: int = Field(default=0, ge=-1000, le=100_000)

    def run(self, ctx: NodeContext) -> int:
        calls.append("add")
        return self.a + self.b


@node("half")
class Half(Node):
    """Halve a number."""

    a: float

    def run(self, ctx: NodeContext) -> float:
        return self.a / 2


@node("count")
class Count(Node):
    """The numbers from 0."""

    n: int = 3

    def run(self, ctx: NodeContext) -> list[int]:
        calls.append("count")
        return list(range(self.n))


@node("total")
class Total(Node):
    """Sum of numbers."""

    numbers: list[int] = []

    def run(self, ctx: NodeContext) -> int:
        calls.append("total")
        return sum(self.numbers)


@node("divmod")
class DivMod(Node):
    """Quotient and remainder."""

    a: int
    b: int = 3

    class Outputs(NodeOutputs):
        """Both results."""

        quotient: int
        remainder: int

    def run(self, ctx: NodeContext) -> Outputs:
        return self.Outputs(quotient=self.a // self.b, remainder=self.a % self.b)


@node("fail")
class Fail(Node):
    """Raise what is asked for."""

    a: int = 0
    kind: str = "value"

    def run(self, ctx: NodeContext) -> int:
        errors: dict[str, BaseException] = {
            "value": ValueError("as asked"),
            "exit": SystemExit(3),
            "memory": MemoryError("none left"),
            "recursion": RecursionError("too deep"),
            "stop": StopIteration("over"),
        }
        raise errors[self.kind]


@node("choose")
class Choose(Node):
    """One of two branches."""

    condition: bool
    on_true: Lazy[Any] | None = None
    on_false: Lazy[Any] | None = None

    def run(self, ctx: NodeContext) -> Any:
        chosen = self.on_true if self.condition else self.on_false
        return chosen.get() if chosen is not None else None


@node("choose_io", lane="io")
class ChooseIo(Node):
    """One of two branches, from the io lane."""

    condition: bool
    on_true: Lazy[Any] | None = None

    def run(self, ctx: NodeContext) -> Any:
        return self.on_true.get() if self.condition and self.on_true is not None else None


@node("sleep", lane="io")
class Sleep(Node):
    """Wait in the io lane."""

    seconds: float = 0.3
    name: str = ""

    def run(self, ctx: NodeContext) -> str:
        calls.append("sleep")
        time.sleep(self.seconds)
        return self.name


@node("asleep", lane="io")
class AsyncSleep(Node):
    """Wait as a coroutine."""

    seconds: float = 0.3
    name: str = ""

    async def run(self, ctx: NodeContext) -> str:
        import asyncio

        await asyncio.sleep(self.seconds)
        return self.name


@node("steps", cache="never")
class Steps(Node):
    """Count slowly."""

    n: int = 1000
    seconds: float = 0.01

    def run(self, ctx: NodeContext) -> int:
        done = 0
        for _ in ctx.progress(range(self.n), "counting"):
            time.sleep(self.seconds)
            done += 1
            running.release()
        return done


@node("steps_kept", cache="disk")
class KeptSteps(Node):
    """Count, and be kept on disk."""

    n: int = 3

    def run(self, ctx: NodeContext) -> int:
        return self.n


@node("read", lane="io")
class Read(Node):
    """Text of a file."""

    file: Annotated[str, InputFile("text")]

    def run(self, ctx: NodeContext) -> str:
        calls.append("read")
        return ctx.artifacts.input_path(self.file).read_text()


@node("weigh", lane="io")
class Weigh(Node):
    """Bytes of a model file."""

    file: Annotated[str, ModelFile("checkpoints")]

    def run(self, ctx: NodeContext) -> str:
        return self.file


@node("text")
class Text(Node):
    """A text."""

    text: str = ""

    def run(self, ctx: NodeContext) -> str:
        return self.text


@node("texts")
class Texts(Node):
    """Texts, one a line."""

    text: str = ""

    def run(self, ctx: NodeContext) -> list[str]:
        calls.append("texts")
        return self.text.split()


@node("shout")
class Shout(Node):
    """Upper case."""

    text: str

    def run(self, ctx: NodeContext) -> str:
        calls.append(f"shout {self.text}")
        return self.text.upper()


@node("save", sink=True, lane="io")
class Save(Node):
    """Save a text."""

    text: str

    class Outputs(NodeOutputs):
        """The file."""

        file: File

    def run(self, ctx: NodeContext) -> Outputs:
        calls.append("save")
        return self.Outputs(
            file=ctx.artifacts.save(self.text.encode(), suffix="txt", media_type="text/plain", prefix="text")
        )


@node("clock", cache="never")
class Clock(Node):
    """The time."""

    def run(self, ctx: NodeContext) -> float:
        calls.append("clock")
        return time.time()


@node("stamped")
class Stamped(Node):
    """A node with its own fingerprint."""

    a: int = 0

    def fingerprint(self) -> str:
        return str(stamp)

    def run(self, ctx: NodeContext) -> int:
        calls.append("stamped")
        return self.a


stamp = 0


@dataclass(frozen=True, eq=False)
class Box(PortType):
    """A list that nodes may wrongly change."""

    items: list[int] = field(default_factory=list)


@node("fill")
class Fill(Node):
    """Make a box."""

    n: int = 3

    def run(self, ctx: NodeContext) -> Box:
        return Box(list(range(self.n)))


@node("spoil")
class Spoil(Node):
    """Wrongly change its input."""

    box: Box
    by: int = 1

    def run(self, ctx: NodeContext) -> int:
        self.box.items.append(99)
        return len(self.box.items)


@node("spoil_tensor")
class SpoilTensor(Node):
    """Wrongly change a tensor."""

    tensor: Any

    def run(self, ctx: NodeContext) -> int:
        self.tensor.add_(1)
        return 1


@node("tensor")
class MakeTensor(Node):
    """A tensor of zeros."""

    def run(self, ctx: NodeContext) -> Any:
        import torch

        return torch.zeros(3)


NODES = (
    Add, Half, Count, Total, DivMod, Fail, Choose, ChooseIo, Sleep, AsyncSleep, Steps, KeptSteps, Read, Weigh, Text, Texts, Shout, Save, Clock,
    Stamped, Fill, Spoil, SpoilTensor, MakeTensor,
)  # fmt: skip


@dataclass
class Run:
    """A finished run and what it told."""

    report: RunReport
    events: list[Event]

    @property
    def ran(self) -> list[str]:
        """Nodes that ran, once per element."""
        return [event.node for event in self.events if isinstance(event, NodeFinished)]

    @property
    def cached(self) -> list[str]:
        """Nodes whose result was there."""
        return [event.node for event in self.events if isinstance(event, NodeCached)]


class Engine:
    """An app with the test pack."""

    def __init__(self, home: Path, *, dev: bool = False) -> None:
        self.app = App(Settings(home=home, cache_ram=50_000_000), dev=dev)
        registry = Registry()
        registry.add_nodes("t", *NODES)
        self.app.__dict__["registry"] = registry
        self.folder = home

    def graph(
        self, nodes: dict[str, Any], outputs: dict[str, str] | None = None, params: dict[str, Any] | None = None
    ) -> Graph:
        """A checked graph from `{id: (type, values, links, map)}`; later parts may be left out."""
        saved = {}
        for name, (kind, *rest) in nodes.items():
            parts = dict(zip(("values", "links", "map"), rest, strict=False))
            saved[name] = {"type": f"t.{kind}@1", **{key: part for key, part in parts.items() if part}}
        obj = {"graphflow": 1, "packs": {}, "params": params or {}, "outputs": outputs or {}, "nodes": saved}
        document = document_from(obj, "test.json")
        document.path = self.folder / "test.json"
        return self.app.prepare_document(document)

    def run(self, graph: Graph, *targets: str, control: RunControl | None = None, use_cache: bool = True) -> Run:
        """Run and collect the events."""
        events: list[Event] = []
        calls.clear()
        report = self.app.run(graph, targets=targets, emit=events.append, control=control, use_cache=use_cache)
        return Run(report, events)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A fresh engine with an empty cache."""
    made = Engine(tmp_path)
    yield made
    made.app.close()


@pytest.fixture
def dev_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that watches for nodes which change their inputs."""
    made = Engine(tmp_path, dev=True)
    yield made
    made.app.close()


@pytest.fixture
def ran() -> list[str]:
    """Names that nodes write down when they run."""
    return calls


@pytest.fixture
def artifacts(engine: Engine) -> ArtifactStore:
    """The engine's artifacts."""
    return engine.app.artifacts
