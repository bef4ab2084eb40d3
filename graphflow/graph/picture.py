"""The workflow inside a picture.

PNG: a text chunk named `graphflow`. JPEG and WebP: the EXIF field UserComment, holding `graphflow:` and the text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

CHUNK = "graphflow"
"""Name of the PNG text chunk."""
PREFIX = "graphflow:"
"""What the EXIF field begins with."""
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_CODES = (b"ASCII\0\0\0", b"UNICODE\0", b"\0" * 8)
"""Character codes that EXIF puts before a UserComment."""


class NoWorkflow(ValueError):
    """A picture carries no workflow, or cannot be read; the message is a sentence."""


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is a PNG, JPEG or WebP picture."""
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def workflow_text(path: Path) -> str:
    """The workflow that a picture carries, as saved text. Raises NoWorkflow."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            text = _find(picture)
            from_comfyui = text is None and {"prompt", "workflow"} & set(picture.info)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NoWorkflow(f"the picture cannot be read ({error}); give the file as graphflow saved it.") from error
    if from_comfyui:
        raise NoWorkflow("the picture carries a ComfyUI workflow; convert it with `graphflow import FILE -o OUT`.")
    if text is None:
        raise NoWorkflow(
            "the picture carries no workflow; use one that graphflow saved and that no other program has saved again."
        )
    return text


def _find(picture: Image) -> str | None:
    for found in (picture.info, getattr(picture, "text", {})):  # .text reads on behind the pixels
        text = found.get(CHUNK)
        if isinstance(text, str):
            return text
    comment = picture.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if isinstance(comment, bytes):
        code, comment = (comment[:8], comment[8:]) if comment[:8] in _CODES else (b"", comment)
        comment = comment.decode("utf-16" if code == _CODES[1] else "utf-8")
    if isinstance(comment, str) and comment.startswith(PREFIX):
        return comment.removeprefix(PREFIX)
    return None
