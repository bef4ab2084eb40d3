from __future__ import annotations

import pytest
import torch

from graphflow.diffusion import PixelBox, cut_box, cut_out, mask_box, put_back, surroundings


def mask_of(box: PixelBox, *, height: int = 64, width: int = 96) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, box.top : box.bottom, box.left : box.right] = 1
    return mask


def test_the_box_holds_all_of_the_mask() -> None:
    box = PixelBox(10, 20, 30, 5)
    assert mask_box(mask_of(box)) == box
    both = torch.cat([mask_of(PixelBox(0, 0, 2, 3)), mask_of(PixelBox(90, 60, 6, 4))])
    assert mask_box(both) == PixelBox(0, 0, 96, 64)


def test_faint_parts_count() -> None:
    assert mask_box(mask_of(PixelBox(5, 6, 7, 8)) * 0.01) == PixelBox(5, 6, 7, 8)


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(ValueError, match="the mask is empty"):
        mask_box(torch.zeros(1, 8, 8))


@pytest.mark.parametrize(
    ("box", "margin", "multiple", "expected"),
    [
        (PixelBox(20, 20, 16, 16), 8, 8, PixelBox(12, 12, 32, 32)),
        (PixelBox(20, 20, 15, 16), 8, 8, PixelBox(11, 12, 32, 32)),
        (PixelBox(0, 0, 10, 10), 8, 8, PixelBox(0, 0, 24, 24)),
        (PixelBox(80, 50, 16, 14), 0, 8, PixelBox(80, 48, 16, 16)),
        (PixelBox(1, 1, 90, 60), 40, 8, PixelBox(0, 0, 96, 64)),
        (PixelBox(0, 0, 96, 64), 0, 60, PixelBox(0, 0, 96, 64)),
    ],
)
def test_surroundings_are_multiples_where_there_is_room(
    box: PixelBox, margin: int, multiple: int, expected: PixelBox
) -> None:
    assert surroundings(box, margin=margin, multiple=multiple, width=96, height=64) == expected


@pytest.mark.parametrize("seed", range(200))
def test_surroundings_always_hold_the_box_and_stay_inside(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=random))

    width, height = draw(8, 100), draw(8, 100)
    left, top = draw(0, width - 1), draw(0, height - 1)
    box = PixelBox(left, top, draw(1, width - left), draw(1, height - top))
    found = surroundings(box, margin=draw(0, 30), multiple=draw(1, 16), width=width, height=height)
    assert 0 <= found.left <= box.left
    assert 0 <= found.top <= box.top
    assert box.right <= found.right <= width
    assert box.bottom <= found.bottom <= height


def test_what_is_cut_out_comes_back_to_its_place() -> None:
    pixels = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    mask = mask_of(PixelBox(30, 20, 20, 20))
    part, part_mask, box = cut_out(pixels, mask, margin=8, multiple=8)
    assert part.shape[-2:] == part_mask.shape[-2:] == (40, 40)
    torch.testing.assert_close(put_back(part, pixels, box), pixels)
    changed = put_back(torch.ones_like(part), pixels, box, mask=part_mask)
    inside = (mask == 1).unsqueeze(1).expand_as(pixels)
    assert changed[inside].min() == 1
    assert torch.equal(changed[~inside], pixels[~inside])


def test_a_part_may_be_worked_on_in_another_size() -> None:
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    mask = mask_of(PixelBox(30, 20, 20, 10))
    part, part_mask, box = cut_out(pixels, mask, margin=4, multiple=8, longest=128)
    assert part.shape[-2:] == part_mask.shape[-2:] == (96, 128)
    assert (box.width, box.height) == (32, 24)
    back = put_back(torch.zeros_like(part), pixels, box, mask=part_mask, feather=3)
    beyond = torch.ones(1, 3, 64, 96, dtype=torch.bool)
    beyond[..., 20 - 5 : 30 + 5, 30 - 5 : 50 + 5] = False
    assert torch.equal(back[beyond], pixels[beyond])
    assert back[..., 22:28, 32:48].max() < 0.01


def test_a_part_of_a_small_picture_is_resized_to_a_multiple() -> None:
    part, part_mask, box = cut_out(torch.rand(1, 3, 30, 45), torch.ones(1, 30, 45), margin=10, multiple=8)
    assert part.shape[-2:] == part_mask.shape[-2:] == (32, 48)
    assert box == PixelBox(0, 0, 45, 30)


def test_boxes_outside_of_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="20x20 at 60, 0 is not within 64x64"):
        cut_box(torch.zeros(1, 64, 64), PixelBox(60, 0, 20, 20))
    with pytest.raises(ValueError, match="is not within 64x64"):
        put_back(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 64, 64), PixelBox(-1, 0, 8, 8))
    with pytest.raises(ValueError, match="a mask of 8x8 does not fit a picture of 64x64"):
        cut_out(torch.zeros(1, 3, 64, 64), torch.ones(1, 8, 8), margin=0)
