"""Edges of pictures by Canny's method (IEEE PAMI 8(6), 1986, "A computational approach to edge detection")."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

CannyMethod = Literal["kornia", "opencv"]


def canny_edges(pixels: Tensor, *, low: float, high: float, method: CannyMethod = "kornia") -> Tensor:
    """White edges on black, `[batch, 3, height, width]`, float32, each value 0 or 1, on the device of the pictures.

    `pixels` are `[batch, channels, height, width]`, 0 to 1: 1 channel (grey), 3 (RGB) or 4 (RGB and transparency, which is left
    out). A pixel is an edge where the brightness changes by more than `high`, and where it changes by more than `low` along an edge;
    the change is that of Sobel's operator, in which a step from black to white counts 4.

    `kornia` blurs a little first and looks at the brightness. `opencv` gives what many ControlNets were trained on: no blur, 8 bits
    a channel, thresholds times 255, and in each pixel the colour that changes most. Raises ValueError for thresholds out of order,
    another number of channels, or where OpenCV is not installed.
    """
    if not 0 < low <= high:
        raise ValueError(f"the thresholds {low:g} and {high:g} are out of order; use 0 < low <= high")
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"pictures are [batch, channels, height, width] with 1, 3 or 4 channels, not {list(pixels.shape)}"
        )
    find = {"kornia": _by_kornia, "opencv": _by_opencv}[method]
    return find(pixels[:, :3].to(torch.float32), low, high).expand(-1, 3, -1, -1).contiguous()


def _by_kornia(pixels: Tensor, low: float, high: float) -> Tensor:
    import kornia

    # One by one: sums over a batch round otherwise, and a rounding decides which of two equal pixels is the line.
    return torch.cat(
        [
            kornia.filters.canny(picture, low_threshold=low, high_threshold=high)[1]
            for picture in pixels.chunk(len(pixels))
        ]
    )


def _by_opencv(pixels: Tensor, low: float, high: float) -> Tensor:
    cv2 = _opencv()
    pictures = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    # OpenCV rounds thresholds down: 100 / 255 * 255 must stay 100.
    thresholds = [round(threshold * 255, 6) for threshold in (low, high)]
    edges = [torch.from_numpy(cv2.Canny(picture, *thresholds)) for picture in pictures]
    return (torch.stack(edges).unsqueeze(1).to(torch.float32) / 255).to(pixels.device)


def _opencv() -> Any:  # OpenCV is optional, and its types need not be there
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            "OpenCV is not installed; install it with `pip install 'graphflow[opencv]'`, or choose the method kornia"
        ) from error
    return cv2
