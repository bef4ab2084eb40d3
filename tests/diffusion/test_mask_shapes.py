from __future__ import annotations

from math import pi

import pytest
import torch

from graphflow.diffusion import ellipse_mask, rectangle_mask


def test_a_rectangle_is_hard_and_lies_where_the_shares_say() -> None:
    mask = rectangle_mask((0.25, 0.5, 0.75, 1.0), height=8, width=16)
    expected = torch.zeros(1, 8, 16)
    expected[:, 4:8, 4:12] = 1
    assert torch.equal(mask, expected)


def test_an_ellipse_covers_its_share_of_the_box() -> None:
    mask = ellipse_mask((0.1, 0.2, 0.9, 0.8), height=100, width=200)
    assert mask.shape == (1, 100, 200)
    assert float(mask.mean()) == pytest.approx(0.8 * 0.6 * pi / 4, rel=1e-3)
    assert mask[0, 50, 100] == 1
    assert mask[0, 21, 21] == 0
    assert ((mask > 0) & (mask < 1)).any()


def test_an_ellipse_lies_even_in_its_box() -> None:
    mask = ellipse_mask((0.25, 0.25, 0.75, 0.75), height=31, width=31)
    assert torch.equal(mask, mask.flip(-1))
    assert torch.equal(mask, mask.flip(-2))
    assert torch.equal(mask, mask.mT)


@pytest.mark.parametrize("draw", [rectangle_mask, ellipse_mask])
def test_sides_out_of_order_are_refused(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(ValueError, match="with left < right and top < bottom"):
        draw((0.8, 0.1, 0.2, 0.9), height=8, width=8)
