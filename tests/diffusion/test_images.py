from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from graphflow.diffusion import pil_from_pixels, pixels_from_pil


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 4)])
def test_eight_bit_pictures_come_back_unchanged(mode: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    pixels = pixels_from_pil(Image.fromarray(values, mode=None))
    assert pixels.shape == (1, channels, 5, 7)
    assert pixels.dtype == torch.float32
    back = pil_from_pixels(pixels[0])
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), values)


def test_other_modes_become_rgb() -> None:
    for mode in ("1", "L", "P", "CMYK", "YCbCr"):
        assert pixels_from_pil(Image.new(mode, (4, 3), 1)).shape == (1, 3, 3, 4), mode
    assert pixels_from_pil(Image.new("LA", (4, 3))).shape == (1, 4, 3, 4)


def test_sixteen_bits_are_kept() -> None:
    grey = Image.fromarray(np.array([[0, 1, 65535]], dtype=np.uint16))
    pixels = pixels_from_pil(grey)
    assert pixels.shape == (1, 3, 1, 3)
    torch.testing.assert_close(pixels[0, 0, 0], torch.tensor([0.0, 1 / 65535, 1.0]))


def test_values_out_of_range_are_cut_and_others_rounded() -> None:
    grey = torch.tensor([[[-1.0, 0.5, 2.0]]])
    assert np.asarray(pil_from_pixels(grey)).tolist() == [[0, 128, 255]]
    with pytest.raises(ValueError, match=r"not \[2, 4, 4\]"):
        pil_from_pixels(torch.zeros(2, 4, 4))
