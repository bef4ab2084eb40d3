"""Pictures as files, with notes inside: PNG, JPEG and WebP. The same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from graphflow.diffusion.alpha import colour_values, flattened
from graphflow.diffusion.images import pil_from_pixels
from graphflow.graph.xmp import jpeg_with_notes, xmp_packet

_FULL_COLOUR_FROM = 90
"""JPEG quality from which colours keep the picture's resolution; below, they have half of it."""
_MOST_JPEG = 65_500
_MOST_WEBP = 16_383


def encode_png(pixels: Tensor, *, notes: Mapping[str, str], compression: int = 6) -> bytes:
    """A picture `[channels, height, width]`, 0 to 1, as PNG; `compression` 0 to 9. Notes are text chunks."""
    info = PngInfo()
    for name, text in sorted(notes.items()):
        if text.isascii():
            info.add_text(name, text)
        else:
            info.add_itxt(name, text)
    buffer = BytesIO()
    pil_from_pixels(pixels).save(buffer, "PNG", pnginfo=info, compress_level=compression)
    return buffer.getvalue()


def encode_jpeg(pixels: Tensor, *, notes: Mapping[str, str], quality: int = 90, background: str = "white") -> bytes:
    """A picture `[channels, height, width]`, 0 to 1, as JPEG; `quality` 1 to 100. Notes are XMP.

    JPEG knows no transparency: a picture that has some is laid on the background. Raises ValueError for a side above 65,500 pixels, or no colour.
    """
    _check_size("JPEG", pixels, _MOST_JPEG)
    if pixels.shape[0] == 4:
        pixels = flattened(pixels[None], colour_values(background))[0]
    buffer = BytesIO()
    subsampling = "4:4:4" if quality >= _FULL_COLOUR_FROM else "4:2:0"
    pil_from_pixels(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return jpeg_with_notes(buffer.getvalue(), notes) if notes else buffer.getvalue()


def encode_webp(pixels: Tensor, *, notes: Mapping[str, str], quality: int = 90, lossless: bool = False) -> bytes:
    """A picture `[channels, height, width]`, 0 to 1, as WebP; `quality` 1 to 100, not asked when lossless. Notes are XMP.

    Lossless keeps every pixel, the colours of transparent ones too. Raises ValueError for a side above 16,383 pixels.
    """
    _check_size("WebP", pixels, _MOST_WEBP)
    picture = pil_from_pixels(pixels)
    if picture.mode == "L":
        picture = picture.convert("RGB")
    buffer = BytesIO()
    xmp = {"xmp": xmp_packet(notes)} if notes else {}
    if lossless:
        picture.save(buffer, "WEBP", lossless=True, exact=True, **xmp)
    else:
        picture.save(buffer, "WEBP", quality=quality, **xmp)
    return buffer.getvalue()


def _check_size(name: str, pixels: Tensor, most: int) -> None:
    height, width = pixels.shape[-2:]
    if max(height, width) > most:
        raise ValueError(f"{width}x{height} is too large for {name}, which has at most {most} pixels a side; use PNG")
