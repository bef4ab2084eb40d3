from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from graphflow.diffusion import faded, tiles_of, upscaled
from graphflow.models.modules.rrdbnet import RRDBNet, RRDBNetSizes


class Nearest(nn.Module):
    """Repeats pixels, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, pixels: Tensor) -> Tensor:
        self.sizes.append(tuple(pixels.shape))
        return interpolate(pixels, scale_factor=2, mode="nearest")


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 200), (130, 64), (20, 30), (300, 301)])
@pytest.mark.parametrize("overlap", [0, 8, 32])
def test_tiles_cover_the_picture_and_overlap(height: int, width: int, overlap: int) -> None:
    tiles = tiles_of(height, width, side=64, overlap=overlap)
    covered = torch.zeros(height, width)
    for tile in tiles:
        assert max(tile.bottom - tile.top, tile.right - tile.left) <= 64
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert covered.min() >= 1
    for axis in (("top", "bottom"), ("left", "right")):
        spans = sorted({tuple(getattr(tile, name) for name in axis) for tile in tiles})
        assert all(before[1] - after[0] >= overlap for before, after in itertools.pairwise(spans))


def test_no_more_tiles_than_needed() -> None:
    assert len(tiles_of(64, 64, side=64, overlap=16)) == 1
    assert len(tiles_of(64, 112, side=64, overlap=16)) == 2
    assert len(tiles_of(64, 113, side=64, overlap=16)) == 3
    assert len(tiles_of(5000, 5000, side=0, overlap=16)) == 1
    with pytest.raises(ValueError, match="use at most 32"):
        tiles_of(100, 100, side=64, overlap=33)


def test_only_borders_with_neighbours_fade() -> None:
    first, last = tiles_of(64, 112, side=64, overlap=16)
    weights = faded(first, height=64, width=112, overlap=16, scale=2)
    assert weights.shape == (128, 128)
    assert (weights[:, :96] == 1).all()
    assert weights[0, -1] < 0.001
    assert (weights[0, 96:].diff() <= 0).all()
    torch.testing.assert_close(
        faded(last, height=64, width=112, overlap=16), weights[::2, ::2].flip(1), atol=0.1, rtol=0
    )


@pytest.mark.parametrize("tile", [0, 16, 24, 512])
def test_what_looks_at_single_pixels_is_the_same_in_tiles(tile: int) -> None:
    pixels = noise(2, 3, 50, 41)
    made = upscaled(Nearest(), pixels, scale=2, tile=tile, overlap=8)
    torch.testing.assert_close(made, interpolate(pixels, scale_factor=2, mode="nearest"))


def test_a_network_sees_tiles_one_by_one_and_they_are_counted() -> None:
    network, counted = Nearest(), []

    def track(tiles: object) -> object:
        for tile in tiles:  # type: ignore[attr-defined]
            counted.append(tile)
            yield tile

    upscaled(network, noise(2, 3, 50, 41), scale=2, tile=32, overlap=8, track=track)  # type: ignore[arg-type]
    assert len(counted) == len(network.sizes) == 2 * 2 * 2
    assert set(network.sizes) == {(1, 3, 32, 32)}


def test_tiles_of_a_real_network_show_no_seams() -> None:
    torch.manual_seed(0)
    network = RRDBNet(RRDBNetSizes(features=8, growth=4, blocks=1, doublings=1)).eval()
    pixels = noise(1, 3, 96, 80)
    whole = upscaled(network, pixels, scale=2, tile=0)
    tiled = upscaled(network, pixels, scale=2, tile=48, overlap=24)
    assert (whole - tiled).abs().max() < 2e-3
    hard = upscaled(network, pixels, scale=2, tile=48, overlap=0)
    assert (whole - hard).abs().max() > 10 * (whole - tiled).abs().max()


def test_transparency_is_enlarged_along() -> None:
    pixels = noise(1, 4, 8, 8)
    pixels[:, 3] = 1
    made = upscaled(Nearest(), pixels, scale=2)
    assert made.shape == (1, 4, 16, 16)
    torch.testing.assert_close(made[:, 3], torch.ones(1, 16, 16))
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
