"""The nodes that change pictures: what their settings reach; the operations are tested in tests/diffusion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graphflow.packs.builtin.image.adjust_color import AdjustColor
from graphflow.packs.builtin.image.batch_images import BatchImages
from graphflow.packs.builtin.image.blend_images import BlendImages
from graphflow.packs.builtin.image.blur_image import BlurImage
from graphflow.packs.builtin.image.compare_images import CompareImages
from graphflow.packs.builtin.image.crop_image import CropImage
from graphflow.packs.builtin.image.flip_image import FlipImage
from graphflow.packs.builtin.image.gray_image import GrayImage
from graphflow.packs.builtin.image.image_size import ImageSize
from graphflow.packs.builtin.image.invert_image import InvertImage
from graphflow.packs.builtin.image.join_alpha import JoinAlpha
from graphflow.packs.builtin.image.match_color import MatchColor
from graphflow.packs.builtin.image.pick_image import PickImage
from graphflow.packs.builtin.image.resize_image import ResizeImage
from graphflow.packs.builtin.image.rotate_image import RotateImage
from graphflow.packs.builtin.image.sharpen_image import SharpenImage
from graphflow.packs.builtin.image.solid_image import SolidImage
from graphflow.packs.builtin.image.split_alpha import SplitAlpha
from graphflow.packs.builtin.image.split_images import SplitImages
from torch import Tensor

from graphflow import Image, Mask, Node
from graphflow.testing import run_node


def noise(seed: int = 0, *, batch: int = 1, channels: int = 3, height: int = 24, width: int = 40) -> Image:
    return Image(torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(seed)))


def pixels(node: Node) -> Tensor:
    made = run_node(node)["image"].pixels
    assert isinstance(made, Tensor)
    return made


EDITS: dict[type[Node], dict[str, Any]] = {
    ResizeImage: {"longest": 64},
    CropImage: {"width": 16, "height": 16},
    FlipImage: {},
    RotateImage: {"degrees": 30},
    BlurImage: {},
    SharpenImage: {},
    AdjustColor: {"gamma": 2, "saturation": 0.5},
    InvertImage: {},
    GrayImage: {},
}


@pytest.mark.parametrize("node", EDITS)
@pytest.mark.parametrize("channels", [3, 4])
def test_an_edit_keeps_batch_channels_and_range_and_leaves_its_input(node: type[Node], channels: int) -> None:
    image = noise(batch=2, channels=channels)
    before = image.pixels.clone()
    made = pixels(node(image=image, **EDITS[node]))
    assert made.shape[:2] == (2, channels)
    assert made.dtype == torch.float32
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert made.shape != before.shape or not torch.equal(made, before)
    assert torch.equal(image.pixels, before)


def test_crop_takes_places_or_the_anchor() -> None:
    image = noise()
    assert torch.equal(pixels(CropImage(image=image, width=8, height=4, left=3, top=5)), image.pixels[..., 5:9, 3:11])
    assert torch.equal(pixels(CropImage(image=image, width=8, height=4)), image.pixels[..., 10:14, 16:24])
    corner = CropImage(image=image, width=8, height=4, anchor="bottom right", top=0)
    assert torch.equal(pixels(corner), image.pixels[..., :4, 32:])
    for beyond in ({"left": 36}, {"width": 50}):
        with pytest.raises(ValueError, match="40"):
            run_node(CropImage(image=image, **{"width": 8, "height": 4, **beyond}))


def test_blend_takes_mode_amount_and_mask() -> None:
    below, above = noise(1), noise(2)
    half = Mask(torch.zeros(1, 24, 40))
    half.values[..., 20:] = 1
    made = pixels(BlendImages(below=below, above=above, mode="multiply", amount=0.5, mask=half))
    assert torch.equal(made[..., :20], below.pixels[..., :20])
    torch.testing.assert_close(made[..., 20:], below.pixels.lerp(below.pixels * above.pixels, 0.5)[..., 20:])


@pytest.mark.parametrize("method", ["reinhard", "histogram"])
def test_match_color_moves_towards_the_reference(method: str) -> None:
    image = noise(1, batch=2)
    reference = Image(noise(2, height=9, width=9).pixels * 0.3 + 0.6)

    def distance(amount: float) -> float:
        made = pixels(MatchColor(image=image, reference=reference, method=method, amount=amount))
        return float((made.mean((0, 2, 3)) - reference.pixels.mean((0, 2, 3))).abs().max())

    assert distance(1.0) < 0.02
    assert distance(1.0) < distance(0.5) < distance(0.0)
    with pytest.raises(ValueError, match="3 references do not go with 2 pictures"):
        run_node(MatchColor(image=image, reference=noise(batch=3), method=method))


def test_batches_join_pick_and_come_apart() -> None:
    images = [noise(1), noise(2, batch=2)]
    batch = run_node(BatchImages(images=images))["image"]
    assert run_node(ImageSize(image=batch)) == {"width": 40, "height": 24, "count": 3}
    assert torch.equal(pixels(PickImage(image=batch, number=1, count=2)), images[1].pixels)
    apart = run_node(SplitImages(image=batch))["images"]
    assert [list(image.pixels.shape) for image in apart] == [[1, 3, 24, 40]] * 3
    assert torch.equal(apart[0].pixels, images[0].pixels)


def test_alpha_joins_and_comes_off() -> None:
    mask = Mask(torch.rand(1, 24, 40, generator=torch.Generator().manual_seed(5)))
    joined = run_node(JoinAlpha(image=noise(), mask=mask))["image"]
    assert joined.pixels.shape[1] == 4
    taken = run_node(SplitAlpha(image=joined, background="black"))
    assert torch.equal(taken["mask"].values, mask.values)
    torch.testing.assert_close(taken["image"].pixels, noise().pixels * mask.values.unsqueeze(1))
    assert run_node(SplitAlpha(image=noise()))["mask"].values.min() == 1


def test_compare_shows_and_tells() -> None:
    image = noise()
    off = Image(image.pixels.clone())
    off.pixels[0, 1, 3, 4] += 0.02
    found = run_node(CompareImages(first=image, second=off, amplify=10))
    assert found["largest"] == pytest.approx(0.02, abs=1e-6)
    assert found["image"].pixels[0, 1, 3, 4] == pytest.approx(0.2, abs=1e-5)
    assert int((found["image"].pixels > 0).sum()) == 1
    assert 40 < found["psnr"] < 100
    assert 0.9 < found["ssim"] < 1


def test_solid_makes_what_it_says() -> None:
    made = pixels(SolidImage(color="#ff8000", width=5, height=3, batch=2))
    assert made.shape == (2, 3, 3, 5)
    assert made[1, :, 2, 4].tolist() == pytest.approx([1, 128 / 255, 0])
    assert pixels(SolidImage(color="transparent", width=2, height=2)).shape == (1, 4, 2, 2)
    with pytest.raises(ValueError, match='"blurple" is no colour'):
        run_node(SolidImage(color="blurple"))
