from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.parity.cases import Case, Comparison
from tests.parity.dispatch import CHECKS, find_check, listing_mistakes


def case(name: str, path: Path = Path(".")) -> Case:
    system, _, short = name.partition("/")
    return Case(path, system, short)


def test_a_variation_of_a_case_is_checked_as_the_case() -> None:
    assert find_check(case("sd15/layouts_img2img")) is CHECKS["sd15/layouts_img2img"]
    assert find_check(case("sd15/layouts_img2img_wide")) is CHECKS["sd15/layouts_img2img"]
    assert find_check(case("sd15/layouts_img2imgx")) is None
    assert find_check(case("other/layouts_img2img")) is None


@pytest.mark.parametrize(
    ("listed", "mistake"),
    [
        (["a/b", "sd15/layouts_img2img"], "there is a check for it"),
        (["a/b", "a/gone"], "a/gone is listed as not implemented, but there is no such case"),
        ([], "a/b can be dispatched neither by name"),
        (["a/b", "a/b"], "a/b is listed twice"),
    ],
)
def test_a_list_that_is_off_by_one_is_noticed(listed: list[str], mistake: str) -> None:
    cases = [case(name) for name in ("a/b", *CHECKS)]
    assert listing_mistakes(cases, ["a/b"], is_default_set=True) == []
    assert mistake in "\n".join(listing_mistakes(cases, listed, is_default_set=True))


def test_another_set_need_not_hold_every_case() -> None:
    assert listing_mistakes([], ["a/b"], is_default_set=False) == []


class Expecting(Case):
    """A case whose expected tensors are given here."""

    expected = {"near": torch.tensor([0.0, 1.0]), "ids": torch.tensor([1, 2])}  # type: ignore[assignment]


def findings(**results: torch.Tensor) -> str:
    comparison = Comparison(Expecting(Path("."), "a", "b"), tolerance=1e-3)
    for name, result in results.items():
        comparison.tensor(name, result)
    try:
        comparison.finish()
    except AssertionError as error:
        return str(error)
    return ""


def test_results_are_compared_by_name_shape_and_tolerance() -> None:
    near, ids = torch.tensor([0.0, 1.0005]), torch.tensor([1, 2])
    assert findings(near=near, ids=ids) == ""
    assert "ids: expected by the case, but not computed" in findings(near=near)
    assert "more: computed, but not expected" in findings(near=near, ids=ids, more=ids)
    assert "near: differs by 0.002" in findings(near=torch.tensor([0.0, 1.002]), ids=ids)
    assert "near: shape [1] instead of [2]" in findings(near=torch.tensor([0.0]), ids=ids)
    assert "near: not finite" in findings(near=torch.tensor([0.0, torch.nan]), ids=ids)
    assert "ids: differs" in findings(near=near, ids=torch.tensor([1, 3]))
