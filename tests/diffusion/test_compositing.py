from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from graphflow.diffusion import composite, paste, pil_from_pixels, pixels_from_pil


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_black_keeps_the_background_bit_by_bit_and_white_takes_the_front() -> None:
    front, onto = draw(1, 3, 8, 8), draw(1, 3, 8, 8, seed=1)
    mask = torch.zeros(1, 8, 8)
    mask[:, :, 4:] = 1
    mask[:, :, 3] = 0.25
    result = paste(front, onto, mask=mask)
    assert torch.equal(result[..., :3], onto[..., :3])
    assert torch.equal(result[..., 4:], front[..., 4:])
    torch.testing.assert_close(result[..., 3], 0.75 * onto[..., 3] + 0.25 * front[..., 3])


@pytest.mark.parametrize(("left", "top"), [(0, 0), (3, 2), (-2, -1), (6, 7), (-20, 0), (0, 20)])
def test_what_reaches_beyond_is_cut_off(left: int, top: int) -> None:
    front, onto = draw(1, 2, 5, 4), draw(1, 2, 9, 8, seed=1)
    result = paste(front, onto, left=left, top=top)
    for row in range(9):
        for column in range(8):
            inside = 0 <= row - top < 5 and 0 <= column - left < 4
            expected = front[..., row - top, column - left] if inside else onto[..., row, column]
            assert torch.equal(result[..., row, column], expected)


def test_inputs_stay_as_they_are() -> None:
    front, onto = draw(1, 3, 4, 4), draw(1, 3, 4, 4, seed=1)
    before = front.clone(), onto.clone()
    paste(front, onto).zero_()
    composite(front, onto).zero_()
    assert torch.equal(front, before[0])
    assert torch.equal(onto, before[1])


def test_one_background_serves_many_pictures() -> None:
    assert paste(draw(3, 3, 4, 4), draw(1, 3, 8, 8)).shape == (3, 3, 8, 8)
    with pytest.raises(ValueError, match=r"\(front 2, background 3, mask 1\); use one size, or 1"):
        paste(draw(2, 3, 4, 4), draw(3, 3, 8, 8))


def test_transparency_is_what_pillow_makes_of_it() -> None:
    front, onto = draw(1, 4, 6, 6), draw(1, 4, 6, 6, seed=1)
    ours = composite(front, onto)
    theirs = Pil.alpha_composite(pil_from_pixels(onto[0]), pil_from_pixels(front[0]))
    np.testing.assert_allclose(ours.numpy(), pixels_from_pil(theirs).numpy(), atol=2.5 / 255)


def test_an_opaque_background_stays_opaque() -> None:
    front = torch.cat([torch.ones(1, 3, 2, 2), torch.full((1, 1, 2, 2), 0.25)], dim=1)
    torch.testing.assert_close(composite(front, torch.zeros(1, 3, 2, 2)), torch.full((1, 3, 2, 2), 0.25))


def test_colours_under_a_black_mask_stay_also_where_nothing_is_seen() -> None:
    onto = draw(1, 4, 4, 4)
    onto[:, 3, 0] = 0
    result = composite(draw(1, 4, 4, 4, seed=1), onto, mask=torch.zeros(1, 4, 4))
    assert torch.equal(result, onto)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a mask of 4x3 does not fit what it cuts out, 8x8"):
        composite(draw(1, 3, 8, 8), draw(1, 3, 8, 8), mask=torch.ones(1, 3, 4))


def test_channels_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="4 channels cannot be laid over 16"):
        paste(draw(1, 4, 8, 8), draw(1, 16, 8, 8))
