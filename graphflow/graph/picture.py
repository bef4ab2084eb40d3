"""The workflow inside a picture: a text chunk named `graphflow` in PNG, an XMP property of that name in JPEG and WebP."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from graphflow.graph.xmp import MAX_BYTES, DamagedPicture, exactly, jpeg_notes, webp_notes

NOTE = "graphflow"
"""Name of the note that holds the workflow."""
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_COMFYUI = {"prompt", "workflow"}
_MOST_NAME_BYTES = 79
"""Of a PNG text chunk."""


class NoWorkflow(ValueError):
    """A picture carries no workflow, or cannot be read; the message is a sentence."""


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is a PNG, JPEG or WebP picture."""
    return head.startswith((_PNG, _JPEG)) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def workflow_text(path: Path) -> str:
    """The workflow that a picture carries, as saved text; reads no pixels. Raises NoWorkflow."""
    try:
        with path.open("rb") as stream:
            notes = _notes(stream)
    except DamagedPicture as error:
        raise NoWorkflow(f"the picture cannot be read: {error}; give the file as graphflow saved it.") from error
    except OSError as error:
        raise NoWorkflow(f"the picture cannot be read: {error.strerror or error}.") from error
    if NOTE in notes:
        return notes[NOTE]
    if _COMFYUI & notes.keys():
        raise NoWorkflow("the picture carries a ComfyUI workflow; convert it with `graphflow import FILE -o OUT`.")
    raise NoWorkflow(
        "the picture carries no workflow; use one that graphflow saved and that no other program has saved again."
    )


def _notes(stream: BinaryIO) -> dict[str, str]:
    """Texts in a picture file, by name. Raises DamagedPicture."""
    head = stream.read(12)
    if head.startswith(_PNG):
        return dict(_png_texts(stream))
    return jpeg_notes(stream) if head.startswith(_JPEG) else webp_notes(stream)


def _png_texts(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    """Name and text of each text chunk of a PNG file."""
    stream.seek(len(_PNG))
    if exactly(stream, 8)[4:] != b"IHDR":
        raise DamagedPicture("it does not begin as a PNG does")
    stream.seek(len(_PNG))
    while len(head := stream.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            data = exactly(stream, size)
            if zlib.crc32(kind + data) != struct.unpack(">I", exactly(stream, 4))[0]:
                raise DamagedPicture("one of its texts was changed")
            yield _png_text(kind, data)
        else:
            stream.seek(size + 4, 1)


def _png_text(kind: bytes, data: bytes) -> tuple[str, str]:
    name, _, rest = data.partition(b"\0")
    if not 0 < len(name) <= _MOST_NAME_BYTES:
        raise DamagedPicture("one of its texts has no name")
    encoding = "latin-1"
    if kind == b"iTXt":
        packed, rest, encoding = rest[:1] == b"\1", rest[2:], "utf-8"
        rest = rest.partition(b"\0")[2].partition(b"\0")[2]  # behind the language and the translated name
    else:
        packed = kind == b"zTXt"
        rest = rest[1:] if packed else rest
    try:
        return name.decode("latin-1"), (_unpacked(rest) if packed else rest).decode(encoding)
    except (zlib.error, UnicodeDecodeError) as error:
        raise DamagedPicture(f"one of its texts is damaged ({error})") from error


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise DamagedPicture(f"one of its texts has more than {MAX_BYTES >> 20} MiB")
    return text
