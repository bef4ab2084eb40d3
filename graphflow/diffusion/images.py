"""Between PIL pictures and tensors."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image as Pil
from torch import Tensor


def pixels_from_pil(picture: Pil.Image) -> Tensor:
    """A PIL picture of any mode as `[1, 3, height, width]`, float32, 0 to 1; `[1, 4, height, width]` when it has transparency.

    A picture of 16 bits keeps them.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = np.asarray(picture, dtype=np.float32) / (1.0 if picture.mode == "F" else 65535.0)
        return torch.from_numpy(grey.clip(0, 1)).expand(1, 3, *grey.shape).contiguous()
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    values = np.array(picture.convert(mode), dtype=np.float32) / 255.0
    return torch.from_numpy(values).permute(2, 0, 1).unsqueeze(0).contiguous()


def pil_from_pixels(pixels: Tensor) -> Pil.Image:
    """One picture `[channels, height, width]`, 0 to 1, rounded to 8 bits: 1 channel gives grey, 3 RGB, 4 RGBA.

    Raises ValueError for another shape.
    """
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3, 4):
        raise ValueError(f"a picture has the shape [1, 3 or 4 channels, height, width], not {list(pixels.shape)}")
    values = (pixels.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    if values.shape[0] == 1:
        return Pil.fromarray(values[0].numpy())
    return Pil.fromarray(values.permute(1, 2, 0).contiguous().numpy())
