"""Lazy inputs by themselves."""

from __future__ import annotations

from graphflow import Lazy


def test_a_lazy_input_computes_once_and_only_when_asked() -> None:
    computed = []

    def compute() -> int:
        computed.append(1)
        return 7

    lazy = Lazy(compute)
    assert computed == []
    assert (lazy.get(), lazy.get()) == (7, 7)
    assert computed == [1]


def test_a_value_that_is_there_can_be_wrapped() -> None:
    assert Lazy.of("x").get() == "x"
