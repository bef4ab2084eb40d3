from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from graphflow.diffusion import CannyMethod, canny_edges


def square(inside: tuple[float, float, float], outside: tuple[float, float, float]) -> Tensor:
    """A square of one colour on another, `[1, 3, 32, 32]`."""
    pixels = torch.tensor(outside).reshape(1, 3, 1, 1).expand(1, 3, 32, 32).clone()
    pixels[:, :, 8:24, 8:24] = torch.tensor(inside).reshape(1, 3, 1, 1)
    return pixels


WHITE, BLACK, GREY = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.55, 0.55, 0.55)


@pytest.mark.parametrize("method", ["kornia", "opencv"])
def test_edges_are_white_lines_where_the_picture_changes(method: CannyMethod) -> None:
    edges = canny_edges(square(WHITE, BLACK), low=0.1, high=0.2, method=method)
    assert edges.shape == (1, 3, 32, 32)
    assert edges.dtype == torch.float32
    assert edges.unique().tolist() == [0.0, 1.0]
    near = torch.zeros(32, 32, dtype=torch.bool)
    near[6:26, 6:26] = True
    near[10:22, 10:22] = False
    assert not edges[0, 0][~near].any()
    assert 48 <= int(edges[0, 0].sum()) <= 72  # four sides of 16


@pytest.mark.parametrize("method", ["kornia", "opencv"])
def test_faint_edges_need_low_thresholds(method: CannyMethod) -> None:
    faint = square(GREY, (0.5, 0.5, 0.5))
    assert canny_edges(faint, low=0.05, high=0.1, method=method).any()
    assert not canny_edges(faint, low=0.4, high=0.8, method=method).any()


@pytest.mark.parametrize("method", ["kornia", "opencv"])
def test_a_line_goes_on_where_it_is_fainter_than_where_it_may_begin(method: CannyMethod) -> None:
    fading = square(WHITE, BLACK)[:, :, :16]
    fading = fading * torch.linspace(1, 0.1, 32).reshape(1, 1, 1, 32)
    both, strong = (canny_edges(fading, low=low, high=1.5, method=method).sum() for low in (0.1, 1.5))
    assert both > strong > 0


@pytest.mark.parametrize("method", ["kornia", "opencv"])
def test_pictures_of_a_batch_do_not_mix(method: CannyMethod) -> None:
    one, other = square(WHITE, BLACK), square(GREY, WHITE).roll(5, dims=3)
    both = canny_edges(torch.cat([one, other]), low=0.1, high=0.2, method=method)
    each = [canny_edges(picture, low=0.1, high=0.2, method=method) for picture in (one, other)]
    assert torch.equal(both, torch.cat(each))


def test_opencv_looks_at_the_colour_that_changes_most() -> None:
    rgb = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 255).round() / 255
    array = (rgb[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    edges = canny_edges(rgb, low=100 / 255, high=200 / 255, method="opencv")[0, 0]
    assert np.array_equal(edges.numpy() * 255, cv2.Canny(array, 100, 200))
    grey = cv2.cvtColor(array, cv2.COLOR_RGB2GRAY)
    of_grey = canny_edges(torch.from_numpy(grey)[None, None] / 255, low=100 / 255, high=200 / 255, method="opencv")
    assert np.array_equal(of_grey[0, 0].numpy() * 255, cv2.Canny(grey, 100, 200))
    assert not torch.equal(of_grey[0, 0], edges)


def test_transparency_is_left_out() -> None:
    picture = square(WHITE, BLACK)
    clear = torch.cat([picture, torch.rand(1, 1, 32, 32)], dim=1)
    assert torch.equal(canny_edges(clear, low=0.1, high=0.2), canny_edges(picture, low=0.1, high=0.2))


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.2), (0.0, 0.2), (-1.0, 1.0)])
def test_thresholds_out_of_order_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="use 0 < low <= high"):
        canny_edges(square(WHITE, BLACK), low=low, high=high)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1, 3 or 4 channels, not \[1, 2, 8, 8\]"):
        canny_edges(torch.zeros(1, 2, 8, 8), low=0.1, high=0.2)


def test_a_missing_opencv_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=r"pip install 'graphflow\[opencv\]'"):
        canny_edges(square(WHITE, BLACK), low=0.1, high=0.2, method="opencv")
