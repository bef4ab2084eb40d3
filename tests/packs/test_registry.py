"""The registry: what it finds, what it imports, what a broken pack does to the others."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graphflow import Node, NodeContext, node
from graphflow.errors import NodeDefinitionError, PackError
from graphflow.packs import Registry, build_registry
from graphflow.packs.discover import folder_source
from graphflow.packs.user import mount
from graphflow.settings import Settings
from tests.packs.conftest import ADD, WritePack


def test_node_in_a_folder_is_found_under_the_packs_name(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"maths/add.py": ADD})
    schema = build_registry(settings).schema("sums.add")
    assert schema is not None
    assert (schema.type, schema.category, schema.module) == ("sums.add", "maths", "maths/add.py")


def test_class_runs_and_knows_its_pack(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"maths/add.py": ADD})
    spec = build_registry(settings).spec("sums.add")
    assert spec.schema.type == "sums.add"
    assert spec.cls.__module__ == "graphflow.packs.user.sums.maths.add"
    assert spec.cls(a=2, b=3).run(None) == 5  # type: ignore[attr-defined]


def test_second_start_imports_nothing(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"add.py": ADD})
    build_registry(settings).schema("sums.add")
    for module in [name for name in sys.modules if name.startswith("graphflow.packs.user.sums")]:
        del sys.modules[module]
    assert build_registry(settings).schema("sums.add") is not None
    assert "graphflow.packs.user.sums.add" not in sys.modules


def test_remembered_description_is_the_described_one(settings: Settings, write_pack: WritePack) -> None:
    text = """
        from enum import Enum
        from typing import Annotated, Any, Literal
        from graphflow import Field, Image, Latent, Lazy, Node, NodeContext, NodeOutputs, Seed, Slider, migration, node

        class Mode(Enum):
            FAST = "fast"
            SLOW = "slow"

        @node("everything", version=2, lane="io", replaces=("core.all",))
        class Everything(Node):
            image: Image
            many: list[Latent] = Field(default=[])
            when: Lazy[Any] = None
            mode: Mode = Mode.FAST
            kind: Literal["a", 1] = "a"
            seed: Seed = 0
            weight: Annotated[float, Slider(0, 2, step=0.5)] = Field(default=1.0, ge=0, le=2)
            box: tuple[float, float] = (0.0, 1.0)
            maybe: int | None = None

            class Outputs(NodeOutputs):
                image: Image
                'The same picture.'
                count: int

            def run(self, ctx: NodeContext) -> Outputs:
                return self.Outputs(image=self.image, count=1)

            @migration(from_version=1)
            def _(saved): saved.rename_input("old", "kind")
    """
    write_pack("wide", {"everything.py": text})
    described = build_registry(settings).schema("wide.everything")
    remembered = build_registry(settings)
    assert remembered.schema("wide.everything") == described
    assert remembered.schema("core.all") == described
    spec = remembered.spec("wide.everything")
    assert described is not None
    assert spec.schema.inputs == described.inputs
    assert list(remembered.migrations("wide.everything")) == [1]
    assert (settings.packs_folder / ".schemas" / "wide.json").exists()


def test_changed_file_is_described_again(settings: Settings, write_pack: WritePack) -> None:
    folder = write_pack("sums", {"add.py": ADD})
    build_registry(settings).schema("sums.add")
    (folder / "twice.py").write_text((folder / "add.py").read_text().replace('"add"', '"twice"'))
    assert build_registry(settings).schema("sums.twice") is not None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("from graphflow import Node, node\n@node('Bad Name')\nclass Bad(Node): pass\n", "Bad Name"),
    ],
    ids=["syntax", "import", "exit", "definition"],
)
def test_file_that_fails_is_listed_and_stops_nothing(
    settings: Settings, write_pack: WritePack, text: str, error: str
) -> None:
    write_pack("mixed", {"broken.py": text, "add.py": ADD})
    write_pack("sums", {"add.py": ADD})
    registry = build_registry(settings)
    assert registry.schema("mixed.add") is not None
    assert registry.schema("sums.add") is not None
    info = next(info for info in registry.packs() if info.name == "mixed")
    assert info.nodes == 1
    assert error in info.error.splitlines()[-1]
    assert "broken.py" in info.error
    assert "importlib" not in info.error
    assert error in (registry.pack_error("mixed") or "")
    assert registry.pack_error("sums") is None


def test_failed_file_is_tried_again_when_the_pack_is_unchanged(
    settings: Settings, write_pack: WritePack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack("needy", {"add.py": "import graphflow_test_dependency\n" + ADD.replace("\n    ", "\n")})
    assert build_registry(settings).schema("needy.add") is None
    (tmp_path / "graphflow_test_dependency.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    registry = build_registry(settings)
    assert registry.schema("needy.add") is not None
    assert registry.pack_error("needy") is None


def test_imported_node_is_not_registered_twice(settings: Settings, write_pack: WritePack) -> None:
    child = """
        from graphflow import node
        from .add import Add

        @node("add_more")
        class AddMore(Add):
            c: int = 0
    """
    write_pack("sums", {"add.py": ADD, "more.py": child})
    registry = build_registry(settings)
    assert [schema.type for schema in registry.types() if schema.pack == "sums"] == ["sums.add", "sums.add_more"]
    assert registry.pack_error("sums") is None


def test_two_nodes_of_one_name_give_one_error_naming_both_files(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"first.py": ADD, "second.py": ADD})
    for registry in (build_registry(settings), build_registry(settings)):
        error = registry.pack_error("sums") or ""
        assert len(error.splitlines()) == 1
        assert "first.py" in error
        assert "second.py" in error
        schema = registry.schema("sums.add")
        assert schema is not None
        assert schema.module == "first.py"


def test_damaged_memory_is_read_anew(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"add.py": ADD})
    build_registry(settings).schema("sums.add")
    remembered = settings.packs_folder / ".schemas" / "sums.json"
    for damage in (b"", b"{", b'{"key": 1}', remembered.read_bytes()[:-40]):
        remembered.write_bytes(damage)
        assert build_registry(settings).schema("sums.add") is not None


def test_unknown_type_names_its_lookalikes(settings: Settings, write_pack: WritePack) -> None:
    write_pack("sums", {"add.py": ADD})
    registry = build_registry(settings)
    assert registry.near("sums.ad")[0] == "sums.add"
    assert registry.near("core.add") == ["sums.add"] or "sums.add" in registry.near("core.add")
    with pytest.raises(PackError, match="not installed"):
        registry.spec("nowhere.add")


def test_classes_can_be_added_for_a_test() -> None:
    @node("double")
    class Double(Node):
        value: int = 1

        def run(self, ctx: NodeContext) -> int:
            return 2 * self.value

    registry = Registry()
    registry.add_nodes("test", Double)
    schema = registry.schema("test.double")
    assert schema is not None
    assert schema.pack == "test"
    assert registry.spec("test.double").cls is Double
    with pytest.raises(NodeDefinitionError, match="Double"):
        registry.add_nodes("test", Double)


def test_registry_without_memory_imports_what_it_describes(write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack("loose", {"add.py": ADD}, inside=tmp_path)
    source = folder_source(folder)
    mount(source.name, source.folder)
    registry = Registry()
    registry.add(source)
    assert registry.schema("loose.add") is not None
    with pytest.raises(PackError, match="two packs"):
        registry.add(source)


def test_connection_table_follows_the_rule(settings: Settings, write_pack: WritePack) -> None:
    text = """
        from dataclasses import dataclass
        from graphflow import Node, NodeContext, PortType, node

        @dataclass(frozen=True, eq=False)
        class Glow(PortType):
            amount: float

        @dataclass(frozen=True, eq=False)
        class StrongGlow(Glow):
            pass

        @node("use")
        class Use(Node):
            glow: Glow
            glows: list[Glow]
            share: float = 0.0
            def run(self, ctx: NodeContext) -> StrongGlow: ...

        @node("count")
        class Count(Node):
            strong: StrongGlow
            def run(self, ctx: NodeContext) -> int: ...

        @node("weak")
        class Weak(Node):
            def run(self, ctx: NodeContext) -> Glow: ...
    """
    write_pack("glow", {"glow.py": text})
    table = build_registry(settings).connections()
    module = "graphflow.packs.user.glow.glow"
    weak, strong = f"{module}:Glow", f"{module}:StrongGlow"
    assert {weak, strong, f"list[{weak}]"} <= set(table[strong])
    assert {weak, f"list[{weak}]"} <= set(table[weak])
    assert strong not in table[weak]
    assert "float" in table["int"]


def test_modules_of_packs_are_found_by_name_and_others_are_not(settings: Settings, write_pack: WritePack) -> None:
    write_pack("kinds", {"kinds/glow.py": "VALUE = 7\n", "kinds/broken.py": "raise SystemExit(1)\n"})
    registry = build_registry(settings)
    found = registry.find_module("graphflow.packs.user.kinds.kinds.glow")
    assert found is not None
    assert found.VALUE == 7
    assert registry.find_module("graphflow.packs.user.kinds.kinds.broken") is None
    assert registry.find_module("graphflow.packs.user.kinds.kinds.gone") is None
    assert registry.find_module("antigravity") is None


def test_threads_get_one_class(settings: Settings, write_pack: WritePack) -> None:
    write_pack("slow", {"add.py": "import time\ntime.sleep(0.05)\n" + ADD.replace("\n    ", "\n")})
    registry = build_registry(settings)
    with ThreadPoolExecutor(8) as pool:
        specs = list(pool.map(lambda _: registry.spec("slow.add"), range(16)))
    assert len({spec.cls for spec in specs}) == 1
