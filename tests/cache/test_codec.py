"""What goes into the cache comes out the same, or is refused by name."""

import enum
import math
import struct
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from graphflow.cache import CannotEncode, DecodeError, ModuleNotLoaded, decode, encode
from graphflow.ports import (
    Conditioning,
    ConditioningEntry,
    Denoiser,
    Image,
    ImageFile,
    Instance,
    Latent,
    LoraPatch,
    Mask,
    NoiseSpec,
    PortType,
    Table,
)


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True, eq=False)
class Sketch(PortType):
    strokes: tuple[Image, ...]
    colour: Colour


def round_trip(value: Any) -> Any:
    encoded = encode(value)
    return decode(encoded.structure, encoded.tensors, encoded.arrays)


def same(left: Any, right: Any) -> bool:
    """Equal in type, value and bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and left.shape == right.shape and torch.equal(left, right)
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if is_dataclass(left):
        return all(same(getattr(left, field.name), getattr(right, field.name)) for field in fields(left))
    return left == right


plain = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats()
    | st.text()
    | st.binary(max_size=40)
)
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(nested)
def test_nested_plain_values_come_back_exactly(value: Any) -> None:
    assert same(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        math.inf,
        struct.unpack(">d", bytes.fromhex("7ff80000000000ab"))[0],
        10**5000,
        -(2**63),
        "lone \ud800 surrogate",
        b"x" * 10_000,
        Path("a/b c.png"),
        Colour.RED,
        {"dict": {"tuple": 1}, "": [()], "a.b": {}},
        np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::2],
        np.float64(0.1),
        np.array(3, dtype=np.uint8),
        np.empty((0, 4), dtype=np.float32),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rare_values_come_back_exactly(value: Any) -> None:
    assert same(round_trip(value), value)


def test_port_types_come_back_with_what_is_nested_in_them() -> None:
    mask = Mask(torch.rand(1, 4, 4))
    entry = ConditioningEntry(torch.randn(1, 3, 2), extra={"size": torch.ones(2)}, area=(0, 0.5, 1, 1), mask=mask)
    recipe = Denoiser("sd", "ab12", "sd15", "unet", patches=(LoraPatch("l", "cd34", 0.5),), noise=NoiseSpec("flow"))
    result = {
        "conditioning": Conditioning((entry, entry)),
        "denoiser": recipe,
        "latent": Latent(torch.zeros(1, 4, 2, 2), noise_mask=mask),
        "instances": [Instance("a fox", box=(0.0, 0.0, 1.0, 1.0), scribble=((0.1, 0.2),))],
        "table": Table(("a", "b"), ((1, None), (2.5, "x"))),
        "sketch": Sketch((Image(torch.rand(1, 3, 2, 2)),), Colour.RED),
    }
    assert same(round_trip(result), result)
    assert round_trip(recipe) == recipe


def test_tensors_are_named_by_their_path() -> None:
    encoded = encode({"image": Image(torch.rand(1, 3, 2, 2)), "list": [Latent(torch.zeros(1))]})
    assert set(encoded.tensors) == {"image.pixels", "list.0.samples"}


def test_paths_that_read_the_same_stay_apart() -> None:
    value = {"a": {"b": torch.zeros(1)}, "a.b": torch.ones(1), "__metadata__": torch.ones(2)}
    assert same(round_trip(value), value)


def test_artifacts_are_listed_once() -> None:
    file = ImageFile("a/b.png", "image/png", 3, "ff", 1, 1)
    assert encode({"image": file, "all": [file]}).artifacts == ("a/b.png",)


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "path", "cause"),
    [
        ({"model": [1, Opaque()]}, "model.1", "Opaque"),
        ({"set": {1, 2}}, "set", "set"),
        ({"keys": {1: 2}}, "keys", "text"),
        ({"t": torch.zeros(2, dtype=torch.complex128)}, "t", "complex128"),
        ({"t": torch.zeros(2, device="meta")}, "t", "meta"),
        ({"t": torch.zeros(2, 2).to_sparse()}, "t", "dense"),
        ({"a": np.array(["text"])}, "a", "<U4"),
        ({"a": np.zeros(2, dtype=">f4")}, "a", ">f4"),
    ],
)
def test_what_has_no_place_is_refused_with_path_and_type(value: Any, path: str, cause: str) -> None:
    with pytest.raises(CannotEncode, match=cause) as caught:
        encode(value)
    assert f'"{path}"' in str(caught.value)


def test_a_local_class_is_refused() -> None:
    @dataclass(frozen=True)
    class Local(PortType):
        x: int = 1

    with pytest.raises(CannotEncode, match="top level"):
        encode({"local": Local()})


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(CannotEncode, match="deep"):
        encode(loop)


@pytest.mark.parametrize(
    "structure",
    [
        {"object": ["os:path", {}]},
        {"object": ["graphflow.cache.codec:_Encoder", {}]},
        {"object": ["graphflow.ports:Image", {}]},
        {"object": ["graphflow.ports.latent:Latent", {"samples": 1}]},
        {"object": ["graphflow.ports:NoSuchThing", {}]},
        {"enum": ["graphflow.ports.latent:Latent", "x"]},
        {"object": 3},
        {"tensor": "nowhere"},
        {"int": "seven"},
        {"float": "00"},
        {"bytes": "%"},
        {"spell": 1},
        {"tuple": [], "dict": {}},
    ],
)
def test_damaged_or_foreign_structures_are_refused(structure: Any) -> None:
    with pytest.raises(DecodeError):
        decode(structure, {}, {})


def test_a_class_of_a_module_that_is_not_imported_is_told_apart_and_not_imported() -> None:
    import sys

    with pytest.raises(ModuleNotLoaded):
        decode({"object": ["antigravity:Image", {}]}, {}, {})
    assert "antigravity" not in sys.modules


def test_decoding_does_not_run_constructors() -> None:
    Ran.count = 0
    value = Ran(1)
    assert same(round_trip(value), value)
    assert Ran.count == 1


@dataclass(frozen=True)
class Ran(PortType):
    x: int
    count = 0

    def __post_init__(self) -> None:
        Ran.count += 1
