from __future__ import annotations

from typing import Any, NoReturn

import pytest
from graphflow.packs.builtin.logic.combine import Combine
from graphflow.packs.builtin.logic.integer import Integer, IntegerList
from graphflow.packs.builtin.logic.list import ListElement, MakeList
from graphflow.packs.builtin.logic.number import Number, NumberList
from graphflow.packs.builtin.logic.range import Range, Spread
from graphflow.packs.builtin.logic.switch import Switch

from graphflow import Lazy
from graphflow.testing import run_node


@pytest.mark.parametrize(
    "node", [Number(value=1.5), NumberList(values=[1.5, 2]), Integer(value=-3), IntegerList(values=[1, 2])]
)
def test_numbers_are_handed_on(node: Any) -> None:
    (output,) = run_node(node).values()
    assert output == next(iter(node.model_dump().values()))


def test_a_range_counts_up_and_down() -> None:
    assert run_node(Range(start=7, count=3)) == {"values": [7, 8, 9]}
    assert run_node(Range(start=0, count=3, step=-5)) == {"values": [0, -5, -10]}
    assert run_node(Range(count=0)) == {"values": []}


def test_a_spread_meets_both_ends() -> None:
    assert run_node(Spread(first=1, last=2, count=5)) == {"values": [1, 1.25, 1.5, 1.75, 2]}
    assert run_node(Spread(first=0.1, last=0.7, count=4))["values"][-1] == 0.7
    assert run_node(Spread(first=3, last=9, count=1)) == {"values": [3]}


def test_all_pairs_come_row_by_row() -> None:
    pairs = run_node(Combine(first=["a", "b"], second=[1, 2, 3]))
    assert pairs == {"first": ["a", "a", "a", "b", "b", "b"], "second": [1, 2, 3, 1, 2, 3]}


def test_pairs_with_nothing_are_nothing() -> None:
    assert run_node(Combine(first=["a"], second=[])) == {"first": [], "second": []}


@pytest.mark.parametrize(("condition", "taken"), [(True, "yes"), (False, "no")])
def test_the_other_branch_never_runs(condition: bool, taken: str) -> None:
    def explode() -> NoReturn:
        raise AssertionError("the branch that is not taken was asked for")

    branches = {True: Lazy.of("yes"), False: Lazy.of("no"), (not condition): Lazy(explode)}
    node = Switch(condition=condition, on_true=branches[True], on_false=branches[False])
    assert run_node(node) == {"value": taken}


def test_a_list_gathers_what_is_linked() -> None:
    assert run_node(MakeList(values=[1, "two"])) == {"values": [1, "two"]}


@pytest.mark.parametrize(("position", "element"), [(0, "a"), (2, "c"), (-1, "c")])
def test_an_element_is_found_from_either_end(position: int, element: str) -> None:
    assert run_node(ListElement(values=["a", "b", "c"], position=position)) == {"value": element}


def test_a_position_outside_names_the_range() -> None:
    with pytest.raises(ValueError, match="use -2 to 1"):
        run_node(ListElement(values=["a", "b"], position=2))
    with pytest.raises(ValueError, match="it is empty"):
        run_node(ListElement(values=[]))
