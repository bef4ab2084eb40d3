"""graphflow against recorded results of the reference implementations, case by case.

`$GRAPHFLOW_PARITY` names the folder of cases; another set of the same form can be run by setting it.
"""

from __future__ import annotations

import pytest

from tests.parity.cases import Case, Comparison, find_cases, is_default, parity_folder
from tests.parity.dispatch import find_check, is_listed, listing_mistakes
from tests.parity.not_implemented import NOT_IMPLEMENTED

FOLDER = parity_folder()
CASES = find_cases(FOLDER) if FOLDER.is_dir() else []

needs_cases = pytest.mark.skipif(
    not CASES, reason=f"no case.md under {FOLDER}; set GRAPHFLOW_PARITY to a folder of parity cases"
)


@needs_cases
def test_every_case_is_implemented_or_listed_and_never_both() -> None:
    mistakes = listing_mistakes(CASES, NOT_IMPLEMENTED, is_default_set=is_default(FOLDER))
    assert not mistakes, "\n".join(mistakes)


@needs_cases
@pytest.mark.parametrize(
    "case", [case for case in CASES if not is_listed(case, NOT_IMPLEMENTED)], ids=lambda case: case.id
)
def test_case(case: Case, compared: dict[str, str]) -> None:
    check = find_check(case)
    assert check is not None, f"{case.id} cannot be dispatched: write its check, or list it as not implemented"
    comparison = Comparison(case, tolerance=float(case.config.get("tolerance") or 0))
    check(case, comparison)
    comparison.finish()
    compared[case.id] = f"{len(comparison.compared)} expected tensors compared, {comparison.exact} more to the bit"
