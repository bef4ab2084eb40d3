from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image as Pil
from torch import Tensor

from graphflow.diffusion import encode_jpeg, encode_png, encode_webp, pixels_from_pil
from graphflow.graph.picture import workflow_text

NOTES = {"graphflow": '{"name": "Füchsin"}', "graphflow_versions": "{}"}


def smooth(channels: int = 3, side: int = 32) -> Tensor:
    """A picture without fine detail, which survives strong compression."""
    across = torch.linspace(0, 1, side).expand(side, side)
    planes = [across, across.T, 1 - across, across.flip(1)]
    return torch.stack(planes[:channels])


def opened(data: bytes) -> Tensor:
    with Pil.open(BytesIO(data)) as picture:
        return pixels_from_pil(picture)[0]


def error(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_formats_without_loss_keep_every_pixel(channels: int) -> None:
    noise = torch.rand(channels, 21, 34, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    for data in (encode_png(noise, notes=NOTES), encode_webp(noise, notes=NOTES, lossless=True)):
        wanted = noise if channels > 1 else noise.expand(3, -1, -1)
        assert error(opened(data), wanted) < 1e-6


@pytest.mark.parametrize("encode", [encode_jpeg, encode_webp])
def test_quality_decides_about_size_and_error(encode: object) -> None:
    picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5 + smooth(side=64) * 0.5
    good, poor = (encode(picture, notes={}, quality=quality) for quality in (95, 20))  # type: ignore[operator]
    assert len(poor) < len(good) / 2
    assert (opened(good) - picture).abs().mean() < (opened(poor) - picture).abs().mean()
    assert (opened(encode(smooth(), notes={})) - smooth()).abs().mean() < 0.02  # type: ignore[operator]


def test_jpeg_keeps_the_resolution_of_colours_at_high_quality() -> None:
    stripes = torch.zeros(3, 32, 32)
    stripes[0, :, ::2], stripes[2, :, 1::2] = 1, 1
    high, low = (opened(encode_jpeg(stripes, notes={}, quality=quality)) for quality in (90, 89))
    assert (high - stripes).abs().mean() < (low - stripes).abs().mean() / 3


def test_transparency_stays_in_png_and_webp_and_lies_on_the_background_in_jpeg() -> None:
    picture = torch.ones(4, 16, 16) * torch.tensor([1.0, 0, 0, 0]).view(4, 1, 1)
    assert error(opened(encode_webp(picture, notes={}, lossless=True)), picture) == 0
    white, blue = (opened(encode_jpeg(picture, notes={}, background=name)) for name in ("white", "#0000ff"))
    assert white.shape == (3, 16, 16)
    assert error(white, torch.ones(3, 16, 16)) < 0.01
    assert error(blue, torch.tensor([0.0, 0, 1]).view(3, 1, 1).expand(3, 16, 16)) < 0.02


@pytest.mark.parametrize("length", [10, 200_000])
def test_every_format_carries_the_workflow(tmp_path: Path, length: int) -> None:
    text = '{"name": "Füchsin & Eule"}' + " " * length
    for encode in (encode_png, encode_jpeg, encode_webp):
        file = tmp_path / "picture"
        file.write_bytes(encode(smooth(), notes={**NOTES, "graphflow": text}))
        assert workflow_text(file) == text
        opened(file.read_bytes())


def test_the_same_picture_gives_the_same_bytes() -> None:
    for encode in (encode_png, encode_jpeg, encode_webp):
        assert encode(smooth(), notes=NOTES) == encode(smooth().clone(), notes=dict(reversed(NOTES.items())))


def test_a_side_too_long_for_the_format_is_refused() -> None:
    strip = torch.zeros(1, 1, 1).expand(3, 1, 16_384)
    with pytest.raises(ValueError, match="16384x1 is too large for WebP"):
        encode_webp(strip, notes={})
    assert opened(encode_jpeg(strip, notes={})).shape == (3, 1, 16_384)
    with pytest.raises(ValueError, match="too large for JPEG"):
        encode_jpeg(strip.expand(3, 1, 16_384).repeat(1, 1, 4), notes={})
