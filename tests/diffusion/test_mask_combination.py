from __future__ import annotations

import pytest
import torch

from graphflow.diffusion import MaskCombination, combine_masks

FIRST = torch.tensor([[[0.0, 0.0, 1.0, 1.0, 0.7]]])
OTHER = torch.tensor([[[0.0, 1.0, 0.0, 1.0, 0.2]]])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("union", [0, 1, 1, 1, 0.7]),
        ("intersection", [0, 0, 0, 1, 0.2]),
        ("difference", [0, 0, 1, 0, 0.7]),
        ("exclusion", [0, 1, 1, 0, 0.7]),
    ],
)
def test_masks_combine_as_sets(how: MaskCombination, expected: list[float]) -> None:
    torch.testing.assert_close(combine_masks([FIRST, OTHER], how), torch.tensor([[expected]]))


def test_one_mask_is_itself_but_a_copy() -> None:
    alone = combine_masks([FIRST], "union")
    assert torch.equal(alone, FIRST)
    assert alone.data_ptr() != FIRST.data_ptr()


def test_one_mask_serves_a_batch() -> None:
    assert combine_masks([FIRST, OTHER.repeat(3, 1, 1)], "union").shape == (3, 1, 5)


def test_what_does_not_go_together_is_named() -> None:
    with pytest.raises(ValueError, match="no mask to combine"):
        combine_masks([], "union")
    with pytest.raises(ValueError, match=r"different sizes do not go together \(5x1, 4x4\)"):
        combine_masks([FIRST, torch.ones(1, 4, 4)], "union")
    with pytest.raises(ValueError, match=r"different sizes do not go together \(mask 1 2, mask 2 3\)"):
        combine_masks([FIRST.repeat(2, 1, 1), OTHER.repeat(3, 1, 1)], "union")
    with pytest.raises(ValueError, match='no combination "sum"; use one of union'):
        combine_masks([FIRST], "sum")  # type: ignore[arg-type]
