"""Notes inside JPEG and WebP pictures, as XMP (ISO 16684-1): an XML packet with one property per note.

A JPEG segment holds 64 KiB, so there a longer packet goes in pieces into segments of its own, which the first packet points to
(XMP part 3, extended XMP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from hashlib import md5
from typing import BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NAMESPACE = "urn:graphflow:notes:1#"
"""Of the properties that hold the notes."""
MAX_BYTES = 64 * 2**20
"""Longest packet that is read."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://ns.adobe.com/xmp/note/"
_PACKET_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_PIECE_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
_MOST_IN_SEGMENT = 65_502
_MOST_IN_PIECE = 65_400
_GUID_LETTERS = 32
_SOI, _APP0, _APP1, _SOS, _EOI = 0xD8, 0xE0, 0xE1, 0xDA, 0xD9
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers of JPEG that no length follows."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


class DamagedPicture(ValueError):
    """A picture whose structure is broken before its notes are found."""


def xmp_packet(notes: Mapping[str, str]) -> bytes:
    """The notes as an XMP packet, the same bytes for the same notes.

    They are JSON: characters that XML cannot hold are written as JSON escapes. Raises ValueError for a name that XML cannot hold.
    """
    wrong = [name for name in notes if not _NAME.fullmatch(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} cannot be the name of a note; use letters, digits, _ and -")
    properties = [f"<graphflow:{name}>{_xml_text(notes[name])}</graphflow:{name}>" for name in sorted(notes)]
    return _packet(f'xmlns:graphflow="{NAMESPACE}"', "".join(properties))


def notes_of_packet(packet: bytes) -> dict[str, str]:
    """The notes in an XMP packet, by name; other programs' properties are left out. Raises DamagedPicture."""
    try:
        root = ElementTree.fromstring(packet)
    except ElementTree.ParseError as error:
        raise DamagedPicture(f"its XMP is no XML: {error}") from error
    mark = f"{{{NAMESPACE}}}"
    return {item.tag.removeprefix(mark): item.text or "" for item in root.iter() if item.tag.startswith(mark)}


def jpeg_with_notes(jpeg: bytes, notes: Mapping[str, str]) -> bytes:
    """A JPEG file with the notes in it, behind its first segment."""
    packet = xmp_packet(notes)
    segments = [_PACKET_HEAD + packet]
    if len(packet) > _MOST_IN_SEGMENT:
        guid = md5(packet, usedforsecurity=False).hexdigest().upper()
        pointer = _packet(f'xmlns:xmpNote="{_EXTENSION}" xmpNote:HasExtendedXMP="{guid}"', "")
        segments = [_PACKET_HEAD + pointer]
        for offset in range(0, len(packet), _MOST_IN_PIECE):
            place = guid.encode() + struct.pack(">II", len(packet), offset)
            segments.append(_PIECE_HEAD + place + packet[offset : offset + _MOST_IN_PIECE])
    written = b"".join(struct.pack(">BBH", 0xFF, _APP1, len(data) + 2) + data for data in segments)
    start = 4 + struct.unpack(">H", jpeg[4:6])[0] if jpeg[3] == _APP0 else 2
    return jpeg[:start] + written + jpeg[start:]


def jpeg_notes(stream: BinaryIO) -> dict[str, str]:
    """The notes of a JPEG file that is at its beginning; reads its head only. Raises DamagedPicture."""
    notes: dict[str, str] = {}
    pieces: dict[bytes, dict[int, bytes]] = {}
    for data in _app1_segments(stream):
        if data.startswith(_PACKET_HEAD):
            notes |= notes_of_packet(data[len(_PACKET_HEAD) :])
        elif data.startswith(_PIECE_HEAD) and len(data) > len(_PIECE_HEAD) + _GUID_LETTERS + 8:
            place = data[len(_PIECE_HEAD) :][: _GUID_LETTERS + 8]
            offset = struct.unpack(">I", place[-4:])[0]
            pieces.setdefault(place[:-4], {})[offset] = data[len(_PIECE_HEAD) + len(place) :]
    for place, found in pieces.items():
        packet = b"".join(found[offset] for offset in sorted(found))
        if len(packet) != struct.unpack(">I", place[-4:])[0]:
            raise DamagedPicture("a part of its XMP is missing")
        notes |= notes_of_packet(packet)
    return notes


def webp_notes(stream: BinaryIO) -> dict[str, str]:
    """The notes of a WebP file that is at its beginning. Raises DamagedPicture."""
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"XMP ":
            return notes_of_packet(exactly(stream, size))
        stream.seek(size + size % 2, 1)
    return {}


def exactly(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of a file. Raises DamagedPicture when it ends before, or for more than `MAX_BYTES`."""
    if size > MAX_BYTES:
        raise DamagedPicture(f"a part of it claims to have {size} bytes")
    data = stream.read(size)
    if len(data) < size:
        raise DamagedPicture("it is cut short")
    return data


def _app1_segments(stream: BinaryIO) -> Iterator[bytes]:
    """Contents of a JPEG's APP1 segments, up to the picture itself."""
    stream.seek(2)
    while True:
        marker = exactly(stream, 2)
        if marker[0] != 0xFF:
            raise DamagedPicture("its segments are in disorder")
        kind = marker[1]
        while kind == 0xFF:  # fill bytes
            kind = exactly(stream, 1)[0]
        if kind in (_SOS, _EOI):
            return
        if kind in _ALONE:
            continue
        size = struct.unpack(">H", exactly(stream, 2))[0] - 2
        if size < 0:
            raise DamagedPicture("one of its segments has no length")
        content = exactly(stream, size)
        if kind == _APP1:
            yield content


def _packet(attributes: str, inside: str) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" {attributes}>'
        f'{inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _xml_text(note: str) -> str:
    text = _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", note)
    return escape(text, {"\r": "&#13;"})
