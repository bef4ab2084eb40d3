"""Descriptions: which values fit and which links connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from graphflow import Image, Latent, PortType
from graphflow.authoring.annotations import type_schema
from graphflow.authoring.describe import TypeSchema, connects, problems


@dataclass(frozen=True, eq=False)
class Sketch(Image):
    """A kind of image."""


@dataclass(frozen=True, eq=False)
class Other(PortType):
    """Something else."""


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        (Image, Image, True),
        (Sketch, Image, True),
        (Image, Sketch, False),
        (Image, Latent, False),
        (Image, list[Image], True),
        (Sketch, list[Image], True),
        (list[Image], list[Image], True),
        (list[Image], Image, False),
        (int, float, True),
        (float, int, False),
        (bool, int, False),
        (int, str, False),
        (int, list[float], True),
        (str, Literal["a", "b"], True),
        (int, Literal["a", "b"], False),
        (Literal["a"], str, True),
        (Any, Image, True),
        (Image, Any, True),
        (list[int], list[Any], True),
        (Other, Image, False),
        (Image, int, False),
        (int, Image, False),
    ],
    ids=str,
)
def test_links_connect_by_type(source: Any, target: Any, fits: bool) -> None:
    assert connects(type_schema(source), type_schema(target)) is fits


INT = TypeSchema("int", "int", ge=1, le=10)
FLOAT = TypeSchema("float", "float", gt=0, lt=1)
TEXT = TypeSchema("str", "str", min_length=2, max_length=4, pattern="^[a-z]*$")
CHOICE = TypeSchema("choice", "choice", choices=("a", 1))
LIST = TypeSchema("list", "list[int]", item=INT, min_length=1, max_length=2)


@pytest.mark.parametrize(
    ("value", "schema", "told"),
    [
        (5, INT, ""),
        (0, INT, "0 is too small; use 1 to 10."),
        (11, INT, "11 is too large; use 1 to 10."),
        ("7", INT, '"7" is text; use a whole number, 1 to 10.'),
        (7.0, INT, "7.0 is a number with a fraction; use a whole number, 1 to 10."),
        (True, INT, "true is true or false; use a whole number, 1 to 10."),
        (None, INT, "null is null; use a whole number, 1 to 10."),
        (0.5, FLOAT, ""),
        (0, FLOAT, "0 is too small; use more than 0 and less than 1."),
        (float("nan"), FLOAT, "nan is not a finite number; use a number, more than 0 and less than 1."),
        ("abc", TEXT, ""),
        ("a", TEXT, '"a" is too short; use at least 2 characters.'),
        ("abcde", TEXT, "the text has 5 characters; use at most 4."),
        ("ABC", TEXT, '"ABC" does not fit the pattern ^[a-z]*$.'),
        ("a", CHOICE, ""),
        (True, CHOICE, 'true is not accepted; use one of "a", 1.'),
        ([1, 2], LIST, ""),
        ([], LIST, "the list has 0 elements; use at least 1."),
        ([1, 2, 3], LIST, "the list has 3 elements; use at most 2."),
        ([1, "x"], LIST, 'element 1: "x" is text; use a whole number, 1 to 10.'),
        (1, LIST, "1 is a number; use a list of int."),
        ("yes", TypeSchema("bool", "bool"), '"yes" is text; use true or false.'),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_told_with_what_is_accepted(value: Any, schema: TypeSchema, told: str) -> None:
    assert problems(value, schema) == ([told] if told else [])


def test_null_fits_where_it_is_accepted() -> None:
    assert problems(None, INT, nullable=True) == []
