"""The workflow inside pictures: large ones, damaged ones, and what other programs write beside it."""

from __future__ import annotations

import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphflow.graph.picture import NoWorkflow, is_picture, workflow_text
from graphflow.graph.xmp import DamagedPicture, jpeg_with_notes, notes_of_packet, xmp_packet

LONG = "".join(f'{{"<{number}>": "Füchsin & Eule 狐"}}\n' for number in range(9000))
"""300 KB, with what XML escapes."""


def jpeg(text: str | None = None, **options: object) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").save(buffer, "JPEG", **options)
    return buffer.getvalue() if text is None else jpeg_with_notes(buffer.getvalue(), {"graphflow": text})


def webp(text: str) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "WEBP", xmp=xmp_packet({"graphflow": text}))
    return buffer.getvalue()


def png(text: str, *, packed: bool = False) -> bytes:
    info = PngInfo()
    info.add_itxt("graphflow", text, zip=packed)
    buffer = BytesIO()
    Image.linear_gradient("L").save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def text_in(data: bytes, folder: Path) -> str:
    file = folder / "picture"
    file.write_bytes(data)
    assert is_picture(data[:16])
    return workflow_text(file)


@pytest.mark.parametrize("text", ["{}", LONG], ids=["short", "long"])
def test_every_format_carries_a_text_of_any_length(tmp_path: Path, text: str) -> None:
    for data in (png(text), png(text, packed=True), jpeg(text), webp(text)):
        assert text_in(data, tmp_path) == text


def test_a_long_text_leaves_the_picture_as_it_was(tmp_path: Path) -> None:
    with Image.open(BytesIO(jpeg())) as before, Image.open(BytesIO(jpeg(LONG))) as after:
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("options", [{"progressive": True}, {"comment": b"hello"}, {"dpi": (300, 300)}])
def test_what_else_a_jpeg_holds_does_not_matter(tmp_path: Path, options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    assert text_in(jpeg_with_notes(jpeg(exif=exif, **options), {"graphflow": LONG}), tmp_path) == LONG


def test_other_programs_xmp_is_no_workflow(tmp_path: Path) -> None:
    other = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><title>fox</title></x:xmpmeta>'
    with pytest.raises(NoWorkflow, match="carries no workflow"):
        text_in(jpeg(xmp=other), tmp_path)


def test_a_text_behind_the_pixels_is_found(tmp_path: Path) -> None:
    whole = png("{}")
    plain = BytesIO()
    Image.linear_gradient("L").save(plain, "PNG")
    start = whole.index(b"iTXt") - 4
    chunk = whole[start : start + 12 + int.from_bytes(whole[start : start + 4], "big")]
    end = plain.getvalue().index(b"IEND") - 4
    assert text_in(plain.getvalue()[:end] + chunk + plain.getvalue()[end:], tmp_path) == "{}"


@pytest.mark.parametrize("make", [png, jpeg, webp])
def test_a_picture_cut_off_behind_its_workflow_still_tells_it(tmp_path: Path, make: object) -> None:
    data = make(LONG)  # type: ignore[operator]
    if make is not webp:  # whose notes come last
        assert text_in(data[:-100], tmp_path) == LONG
    with pytest.raises(NoWorkflow, match="cannot be read: it is cut short"):
        text_in(data[: len(data) // 2] if make is not webp else data[:-5000], tmp_path)


def test_damage_is_told_in_a_sentence(tmp_path: Path) -> None:
    changed = png("{}").replace(b"{}", b"[]")
    with pytest.raises(NoWorkflow, match="one of its texts was changed"):
        text_in(changed, tmp_path)
    with pytest.raises(NoWorkflow, match="its XMP is no XML"):
        text_in(webp("{}").replace(b"</rdf:RDF>", b"</rdf:RDG>"), tmp_path)
    with pytest.raises(NoWorkflow, match="a part of its XMP is missing"):
        text_in(without_last_piece(jpeg(LONG)), tmp_path)
    with pytest.raises(NoWorkflow, match="in disorder"):
        text_in(b"\xff\xd8\xff\xe0\x00\x04abjunk", tmp_path)


def without_last_piece(data: bytes) -> bytes:
    start = data.rindex(b"http://ns.adobe.com/xmp/extension/") - 4
    size = int.from_bytes(data[start + 2 : start + 4], "big")
    return data[:start] + data[start + 2 + size :]


def test_a_text_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    bomb = zlib.compress(b"\0" * (80 * 2**20), 9)
    body = b"zTXt" + b"graphflow\0\0" + bomb
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    plain = png("{}")
    with pytest.raises(NoWorkflow, match="more than 64 MiB"):
        text_in(plain[:33] + chunk + plain[33:], tmp_path)


def test_notes_keep_every_character() -> None:
    notes = {"graphflow": '{"a": "<&>\\"\r\n\t ]]> \u2028 \U0001f98a"}', "graphflow_versions": ""}
    assert notes_of_packet(xmp_packet(notes)) == notes
    assert notes_of_packet(xmp_packet({"a": '"\uffff"'})) == {"a": '"\\uffff"'}
    with pytest.raises(ValueError, match="cannot be the name of a note"):
        xmp_packet({"two words": ""})
    with pytest.raises(DamagedPicture):
        notes_of_packet(b"<a")


def test_reading_needs_no_picture_library(tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(jpeg("{}"))
    code = (
        "import sys; from pathlib import Path; from graphflow.graph.picture import workflow_text;"
        f"assert workflow_text(Path({str(tmp_path / 'picture.jpg')!r})) == '{{}}'; sys.exit('PIL' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
