"""Reading workflow files and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphflow.errors import WorkflowError
from graphflow.graph import document_from, load_document, parse_document
from graphflow.graph.format_migrations import upgrade
from graphflow.graph.xmp import xmp_packet

TEXT = (
    '{"graphflow": 1, "name": "Fuchs und Eule – 狐", "nodes": {"n": {"type": "core.number@1", "values": {"value": 3}}}}'
)


def one_finding(error: pytest.ExceptionInfo[WorkflowError]) -> str:
    (found,) = error.value.findings
    return str(found)


def test_a_file_becomes_a_document(tmp_path: Path) -> None:
    file = tmp_path / "fox.json"
    file.write_text(TEXT, encoding="utf-8")
    doc = load_document(file)
    assert doc.name == "Fuchs und Eule – 狐"
    assert doc.nodes["n"].type == "core.number"
    assert doc.nodes["n"].version == 1
    assert doc.nodes["n"].values == {"value": 3}
    assert doc.path == file
    assert doc.label == str(file)
    assert doc.folder == tmp_path


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_document(b"\xef\xbb\xbf" + TEXT.encode(), label="x").nodes


def test_every_part_is_read() -> None:
    saved = {
        "graphflow": 1,
        "packs": {"core": "0.3"},
        "params": {"seed": "sample.seed", "width": ["empty.width", "decode.width"]},
        "outputs": {"image": "save.image"},
        "nodes": {
            "place-1": {"type": "core.unifusion@12", "links": {"one": "a.b", "many": ["a.b", "c.d"]}, "map": ["one"]},
            "light": {"type": "workflow:../parts/light.json", "values": {"x": None}},
        },
        "view": {"light": [40, 80], "frames": [{"title": "all"}]},
    }
    doc = document_from(saved, "x.json")
    assert doc.packs == {"core": "0.3"}
    assert doc.params == {"seed": ["sample.seed"], "width": ["empty.width", "decode.width"]}
    assert doc.outputs == {"image": "save.image"}
    assert doc.nodes["place-1"].version == 12
    assert doc.nodes["place-1"].links == {"one": "a.b", "many": ["a.b", "c.d"]}
    assert doc.nodes["place-1"].map == ["one"]
    assert doc.nodes["light"].type == "workflow:../parts/light.json"
    assert doc.nodes["light"].version is None
    assert doc.view["frames"] == [{"title": "all"}]


@pytest.mark.parametrize("name", ["gone.json", "gone/fox.json", "nul\0.json", "x" * 5000])
def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkflowError) as error:
        load_document(tmp_path / name)
    assert error.value.findings[0].code in ("missing_file", "unreadable_file")


def test_a_folder_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError) as error:
        load_document(tmp_path)
    assert "folder" in one_finding(error)


def test_a_png_carries_a_workflow(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_itxt("graphflow", TEXT)
    file = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(file, pnginfo=info)
    doc = load_document(file)
    assert doc.name == "Fuchs und Eule – 狐"
    assert doc.path == file


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_jpeg_and_webp_carry_a_workflow(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"picture.{ending}"
    Image.new("RGB", (8, 8)).save(file, xmp=xmp_packet({"graphflow": TEXT}))
    assert load_document(file).name == "Fuchs und Eule – 狐"


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_picture_without_a_workflow_is_a_finding(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"picture.{ending}"
    Image.new("RGB", (8, 8)).save(file)
    with pytest.raises(WorkflowError) as error:
        load_document(file)
    assert "carries no workflow" in one_finding(error)


def test_a_comfyui_picture_is_recognised(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("prompt", "{}")
    file = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(file, pnginfo=info)
    with pytest.raises(WorkflowError) as error:
        load_document(file)
    assert "graphflow import" in one_finding(error)


def test_a_damaged_picture_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"junk" * 20)
    with pytest.raises(WorkflowError) as error:
        load_document(file)
    assert "cannot be read" in one_finding(error)


def test_a_picture_with_wrong_text_is_a_finding_with_its_place(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("graphflow", "{")
    file = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(file, pnginfo=info)
    with pytest.raises(WorkflowError) as error:
        load_document(file)
    assert one_finding(error).startswith(f"{file}, line 1, column 2:")


def test_older_formats_are_brought_up_step_by_step() -> None:
    def rename(saved: dict[str, object]) -> None:
        saved["nodes"] = saved.pop("boxes")

    def title(saved: dict[str, object]) -> None:
        saved["name"] = "made"

    saved: dict[str, object] = {"graphflow": 1, "boxes": {}}
    done = upgrade(saved, {1: rename, 2: title}, newest=3)
    assert saved == {"graphflow": 3, "nodes": {}, "name": "made"}
    assert done == ["file format 1 became 2", "file format 2 became 3"]


def test_a_large_value_is_read() -> None:
    text = json.dumps({"graphflow": 1, "nodes": {"n": {"type": "core.words@1", "values": {"text": "x" * 10**6}}}})
    assert len(parse_document(text, label="x").nodes["n"].values["text"]) == 10**6
