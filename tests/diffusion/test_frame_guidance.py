from __future__ import annotations

import pytest
import torch

from graphflow.diffusion import FrameGuider, linear_scales, orbit_scales, trapezoid_scales, triangle_scales


def test_scales_take_the_shapes_that_they_are_named_after() -> None:
    assert linear_scales(4, highest=2.5).tolist() == [1.0, 1.5, 2.0, 2.5]
    assert triangle_scales(5, highest=3.0).tolist() == [1.0, 2.0, 3.0, 2.0, 1.0]
    assert trapezoid_scales(10, lowest=2.0, highest=3.0, edge=0.2).tolist() == [2.0, 3.0, *[1.0] * 6, 3.0, 2.0]
    assert orbit_scales(6, views=3, highest=3.0).tolist() == [1.0, 2.0, 1.0, 2.0, 3.0, 2.0]


@pytest.mark.parametrize(("fusing", "middle"), [("max", 1.0), ("mean", 0.5), ("multiply", 0.0)])
def test_waves_are_fused(fusing: str, middle: float) -> None:
    scales = triangle_scales(5, lowest=0.0, highest=1.0, periods=(1.0, 0.5), fusing=fusing)  # type: ignore[arg-type]
    assert float(scales[2]) == middle


def test_each_frame_is_guided_by_its_own_scale() -> None:
    guider = FrameGuider(torch.tensor([1.0, 3.0]))
    uncond, cond = torch.zeros(4, 1, 1, 1), torch.ones(4, 1, 1, 1)
    assert guider.combine(torch.cat([uncond, cond])).flatten().tolist() == [1.0, 3.0, 1.0, 3.0]


def test_the_unconditional_half_comes_first_and_the_rest_goes_through() -> None:
    latents, sigma = torch.ones(2, 1), torch.tensor([1.0, 2.0])
    cond = {"vector": torch.ones(2, 3), "count": torch.tensor(2)}
    both, levels, given = FrameGuider(torch.tensor(2.0)).prepare(latents, sigma, cond, {"vector": torch.zeros(2, 3)})
    assert both.shape == (4, 1)
    assert levels.tolist() == [1.0, 2.0, 1.0, 2.0]
    assert given["vector"][:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert given["count"] is cond["count"]


def test_what_fits_no_video_is_refused() -> None:
    with pytest.raises(ValueError, match="3 latents are no whole number of videos with 2 frames"):
        FrameGuider(torch.ones(2)).combine(torch.ones(6, 1))
    with pytest.raises(ValueError, match="only one of both conditionings has concat"):
        FrameGuider(torch.tensor(2.0)).prepare(torch.ones(1), torch.ones(1), {"concat": torch.ones(1)}, {})
    with pytest.raises(ValueError, match="7 samples are no whole number of frames with 2 views"):
        orbit_scales(7, views=2, highest=2.0)
    with pytest.raises(ValueError, match="one period at least"):
        triangle_scales(5, highest=2.0, periods=())
    with pytest.raises(ValueError, match='"median" fuses no waves; use one of max, mean, multiply'):
        triangle_scales(5, highest=2.0, fusing="median")  # type: ignore[arg-type]
