"""Work in tiles: the whole picture, from pieces that need little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from graphflow.diffusion import Tiling, decode_latents, encode_pictures, posterior
from graphflow.diffusion.tiled import in_tiles
from graphflow.zoo import MODELS
from graphflow.zoo.scenes import held_out_scene


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 30), (21, 17), (5, 40)])
@pytest.mark.parametrize("overlap", [0, 3, 4])
def test_what_looks_at_single_cells_is_the_same_in_tiles(height: int, width: int, overlap: int) -> None:
    values = noise(2, 3, height, width)
    larger = in_tiles(lambda part: interpolate(part, scale_factor=4), values, side=8, overlap=overlap, made=4)
    torch.testing.assert_close(larger, interpolate(values, scale_factor=4))
    back = in_tiles(lambda part: avg_pool2d(part, 4), larger, side=8, overlap=overlap, given=4)
    torch.testing.assert_close(back, values)


def test_tiles_are_as_small_as_asked_and_counted() -> None:
    seen: list[tuple[int, ...]] = []
    counted = []

    def track(tiles: Sequence[Any]) -> Iterator[Any]:
        for tile in tiles:
            counted.append(tile)
            yield tile

    def compute(part: Tensor) -> Tensor:
        seen.append(tuple(part.shape))
        return avg_pool2d(part, 8)

    Tiling(80, 16, track).apply(compute, noise(2, 1, 200, 80), given=8)
    assert set(seen) == {(1, 1, 80, 80)}
    assert len(counted) == len(seen) == 2 * 3


@pytest.mark.parametrize(
    ("side", "overlap", "message"),
    [(63, 0, "a tile of 63 pixels is too small; use 64 or more"), (128, 65, "use at most 64"), (128, 200, "overlap of 200")],
)  # fmt: skip
def test_impossible_tiles_are_refused(side: int, overlap: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tiling(side, overlap).apply(lambda part: part, noise(1, 1, 80, 80), made=8)


@pytest.fixture(scope="module")
def vae() -> Any:
    return AutoencoderKL.from_pretrained(MODELS / "tiny-sd" / "vae", dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """A scene, enlarged: `[1, 3, 256, 256]`."""
    scene = Image.fromarray(held_out_scene(np.random.default_rng(1)).draw()).resize((256, 256))
    return torch.from_numpy(np.array(scene)).permute(2, 0, 1)[None].float() / 255


def test_tiles_decode_nearly_what_the_whole_decodes(vae: Any, pictures: Tensor) -> None:
    latents = encode_pictures(vae, pictures, scaling_factor=0.7)
    whole = decode_latents(vae, latents, scaling_factor=0.7)
    tiled = decode_latents(vae, latents, scaling_factor=0.7, tiling=Tiling(192, 64))
    hard = decode_latents(vae, latents, scaling_factor=0.7, tiling=Tiling(192, 0))
    error, seams = (whole - tiled).abs(), (whole - hard).abs()
    assert float(error.mean()) < 2 / 255
    assert float(error.max()) < float(seams.max()) / 2
    one = decode_latents(vae, latents, scaling_factor=0.7, tiling=Tiling(256, 64))
    torch.testing.assert_close(one, whole, atol=1e-5, rtol=0)


def test_tiles_encode_nearly_what_the_whole_encodes(vae: Any, pictures: Tensor) -> None:
    whole, tiled = posterior(vae, pictures), posterior(vae, pictures, tiling=Tiling(192, 64))
    assert tiled.mean.shape == whole.mean.shape == (1, 4, 32, 32)
    assert float((whole.mean - tiled.mean).abs().mean()) < 0.06 * float(whole.mean.std())
    draw = torch.randn(1, 4, 32, 32)
    drawn = encode_pictures(vae, pictures, scaling_factor=0.7, noise=draw, tiling=Tiling(192, 64))
    torch.testing.assert_close(drawn, tiled.sample(draw) * 0.7)


def peak_of(work: Any) -> int:
    """Bytes by which the process's memory grew at most while it worked; Linux only. Memory that was used before does not count: begin with less."""

    def resident(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS:")
    work()
    return resident("VmHWM:") - before


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from /proc")
def test_tiles_need_a_fraction_of_the_memory(vae: Any) -> None:
    latents = noise(1, 4, 64, 64)
    tiled = peak_of(lambda: decode_latents(vae, latents, scaling_factor=0.7, tiling=Tiling(128, 32)))
    whole = peak_of(lambda: decode_latents(vae, latents, scaling_factor=0.7))
    assert tiled < whole / 3
