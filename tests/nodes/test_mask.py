from __future__ import annotations

from typing import Any

import pytest
import torch
from graphflow.packs.builtin.mask.combine_masks import CombineMasks
from graphflow.packs.builtin.mask.crop_mask import CropMask
from graphflow.packs.builtin.mask.crop_to_mask import CropToMask
from graphflow.packs.builtin.mask.feather_mask import FeatherMask
from graphflow.packs.builtin.mask.fill_mask_holes import FillMaskHoles
from graphflow.packs.builtin.mask.grow_mask import GrowMask
from graphflow.packs.builtin.mask.invert_mask import InvertMask
from graphflow.packs.builtin.mask.mask_box import MaskBox
from graphflow.packs.builtin.mask.mask_from_brightness import MaskFromBrightness
from graphflow.packs.builtin.mask.mask_from_channel import MaskFromChannel
from graphflow.packs.builtin.mask.mask_from_color import MaskFromColor
from graphflow.packs.builtin.mask.mask_shape import MaskShape
from graphflow.packs.builtin.mask.mask_to_image import MaskToImage
from graphflow.packs.builtin.mask.resize_mask import ResizeMask

from graphflow import Image, Mask, Node
from graphflow.testing import run_node
from graphflow.zoo.scenes import Scene, SceneObject


@pytest.fixture
def square() -> Mask:
    values = torch.zeros(1, 32, 48)
    values[:, 8:24, 16:32] = 1
    return Mask(values)


@pytest.fixture
def scene() -> Scene:
    return Scene("sand", (SceneObject("red", "ring", 30, 40, 60),))


@pytest.fixture
def picture(scene: Scene) -> Image:
    return Image(torch.from_numpy(scene.draw()).permute(2, 0, 1)[None].float() / 255)


def values_of(node: Node) -> torch.Tensor:
    found = run_node(node)["mask"].values
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    assert found.ndim == 3
    assert 0 <= found.min() <= found.max() <= 1
    return found


def test_a_shape_takes_the_size_of_the_picture(picture: Image) -> None:
    assert values_of(MaskShape(image=picture)).shape == (1, 128, 128)
    assert values_of(MaskShape(width=40, height=30, shape="ellipse")).shape == (1, 30, 40)
    with pytest.raises(ValueError, match="left < right"):
        run_node(MaskShape(left=0.8, right=0.2))


def test_a_colour_selects_the_object_that_has_it(picture: Image, scene: Scene) -> None:
    found = values_of(MaskFromColor(image=picture, color="#dc2828", tolerance=0.1)) > 0.5
    expected = torch.from_numpy(scene.masks())
    assert int((found & expected).sum()) / int((found | expected).sum()) > 0.9


def test_filling_holes_makes_a_ring_a_disc(picture: Image, scene: Scene) -> None:
    ring = Mask(torch.from_numpy(scene.masks()).float())
    filled = values_of(FillMaskHoles(mask=ring))
    assert filled[0, 70, 60] == 1
    assert ring.values[0, 70, 60] == 0
    assert filled[0, 40, 30] == 0


def test_brightness_tells_the_object_from_the_ground(picture: Image, scene: Scene) -> None:
    dark = values_of(MaskFromBrightness(image=picture, low=0.0, high=0.6)) > 0.5
    assert float((dark == torch.from_numpy(scene.masks())).float().mean()) > 0.98


def test_a_channel_becomes_a_mask() -> None:
    pixels = torch.rand(2, 4, 6, 5)
    assert torch.equal(values_of(MaskFromChannel(image=Image(pixels), channel="alpha")), pixels[:, 3])
    white = MaskFromChannel(image=Image(torch.ones(1, 3, 2, 2)))
    torch.testing.assert_close(values_of(white), torch.ones(1, 2, 2))


def test_inverting_twice_is_nothing(square: Mask) -> None:
    once = values_of(InvertMask(mask=square))
    assert torch.equal(once, 1 - square.values)
    assert torch.equal(values_of(InvertMask(mask=Mask(once))), square.values)


def test_masks_are_combined_in_the_order_of_their_links(square: Mask) -> None:
    whole = Mask(torch.ones_like(square.values))
    left_over = values_of(CombineMasks(masks=[whole, square], how="difference"))
    assert torch.equal(left_over, 1 - square.values)
    assert values_of(CombineMasks(masks=[square, whole], how="difference")).max() == 0


def test_growing_by_less_than_nothing_makes_it_narrower(square: Mask) -> None:
    assert values_of(GrowMask(mask=square, pixels=-2)).sum() == 12 * 12
    assert values_of(GrowMask(mask=square, pixels=2)).sum() > 16 * 16


def test_a_feather_fades_outside(square: Mask) -> None:
    soft = values_of(FeatherMask(mask=square, pixels=4))
    assert soft[0, 8:24, 16:32].min() > 0.99
    assert 0 < soft[0, 16, 14] < 1
    assert soft[0, 16, 11] == 0


def test_a_mask_is_stretched_to_a_picture_or_to_numbers(square: Mask, picture: Image) -> None:
    assert values_of(ResizeMask(mask=square, image=picture)).shape == (1, 128, 128)
    double = values_of(ResizeMask(mask=square, factor=2, filter="nearest"))
    assert torch.equal(double[:, ::2, ::2], square.values)
    assert values_of(ResizeMask(mask=square, width=24)).shape == (1, 16, 24)
    with pytest.raises(ValueError, match="by a picture and by numbers"):
        run_node(ResizeMask(mask=square, image=picture, width=24))
    with pytest.raises(ValueError, match="the new size is given not at all"):
        run_node(ResizeMask(mask=square))


def test_a_part_of_a_mask(square: Mask) -> None:
    part = values_of(CropMask(mask=square, left=12, top=4, width=8, height=8))
    assert torch.equal(part, square.values[:, 4:12, 12:20])
    with pytest.raises(ValueError, match="512x512 at 0, 0 is not within 48x32"):
        run_node(CropMask(mask=square))


def test_a_mask_can_be_looked_at(square: Mask) -> None:
    pixels = run_node(MaskToImage(mask=square))["image"].pixels
    assert pixels.shape == (1, 3, 32, 48)
    assert torch.equal(pixels[:, 1], square.values)


def test_the_box_of_a_mask(square: Mask) -> None:
    assert run_node(MaskBox(mask=square)) == {"left": 16, "top": 8, "width": 16, "height": 16}
    with pytest.raises(ValueError, match="the mask is empty"):
        run_node(MaskBox(mask=Mask(torch.zeros(1, 4, 4))))


def test_a_part_is_cut_out_worked_on_and_put_back(square: Mask) -> None:
    from graphflow.packs.builtin.image.paste_back import PasteBack

    whole = Image(torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0)))
    part = run_node(CropToMask(image=whole, mask=square, margin=4, size=96))
    assert part["image"].pixels.shape == (1, 3, 96, 96)
    assert part["mask"].values.shape == (1, 96, 96)
    assert part["box"] == [12, 4, 24, 24]
    black = Image(torch.zeros_like(part["image"].pixels))
    back = run_node(PasteBack(image=black, background=whole, box=part["box"], mask=part["mask"], feather=2))
    pixels = back["image"].pixels
    assert pixels[..., 10:22, 18:30].max() < 0.01
    assert torch.equal(pixels[..., :4, :], whole.pixels[..., :4, :])
    assert torch.equal(pixels[..., :12], whole.pixels[..., :12])


@pytest.mark.parametrize(
    ("node", "settings"),
    [
        (InvertMask, {}),
        (GrowMask, {"pixels": 3}),
        (GrowMask, {"pixels": 0}),
        (FeatherMask, {}),
        (FillMaskHoles, {}),
        (CropMask, {"width": 48, "height": 32}),
        (ResizeMask, {"factor": 1}),
    ],
)
def test_inputs_stay_as_they_are(square: Mask, node: type[Any], settings: dict[str, Any]) -> None:
    before, version = square.values.clone(), square.values._version
    run_node(node(mask=square, **settings))
    assert torch.equal(square.values, before)
    assert square.values._version == version
