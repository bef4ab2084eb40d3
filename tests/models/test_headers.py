"""Reading what a weights file holds without its weights."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphflow.errors import ModelError, UnsafeModelFile
from graphflow.models.headers import MAX_HEADER_BYTES, read_headers


class Stranger:
    """An object that only pickle can bring."""


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


def test_a_safetensors_file_tells_names_shapes_types_and_metadata(
    tmp_path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    save_file(tensors, tmp_path / "m.safetensors", metadata={"made_by": "me"})
    headers = read_headers(tmp_path / "m.safetensors")
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in headers.tensors.items()} == {
        "a": ((2, 3), "F32"),
        "b": ((4,), "BF16"),
    }
    assert headers.metadata == {"made_by": "me"}


def test_shards_are_read_through_their_index(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    for name in tensors:
        save_file({name: tensors[name]}, tmp_path / f"m-{name}.safetensors")
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: f"m-{name}.safetensors" for name in tensors}}))
    assert {name: tensor.file.name for name, tensor in read_headers(index).tensors.items()} == {
        "a": "m-a.safetensors",
        "b": "m-b.safetensors",
    }


@pytest.mark.parametrize(
    ("weight_map", "reason"),
    [({"a": "gone.safetensors"}, "missing"), ({"a": "../m.safetensors"}, "beside the index"), ([], "weight_map")],
)
def test_a_wrong_index_is_refused_with_the_reason(tmp_path: Path, weight_map: object, reason: str) -> None:
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match=reason):
        read_headers(index)


def _file(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "too few"),
        (b"1234", "too few"),
        (_file(b"{}", length=MAX_HEADER_BYTES + 1), "at most"),
        (_file(b"{}", length=500), "before the end of its header"),
        (_file(b"garbage"), "not JSON"),
        (_file(b"[" * 100_000), "not JSON"),
        (_file(b"[1]"), "not a JSON object"),
        (_file(b'{"a": {"dtype": "F32"}}'), '"a"'),
        (_file(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}', b"1234"), "negative"),
        (_file(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', b"1234"), "cut short"),
        (_file(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"1234"), "does not fill"),
        (b"\x80\x02}q\x00." * 4, "header"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=reason) as caught:
        read_headers(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_headers(tmp_path / "none.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_plain_tensors_is_read_with_its_nested_state_dict(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "m.ckpt"
    content = {"state_dict": {"w": torch.zeros(2, 3, dtype=torch.float16)}, "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    header = read_headers(path).tensors["w"]
    assert (header.shape, header.dtype) == ((2, 3), "F16")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_needs_pickle_is_refused_and_never_run(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "m.ckpt"
    torch.save({"state_dict": {}, "callback": Stranger()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeModelFile, match="convert it with a tool you trust"):
        read_headers(path)


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(pickle.dumps({"a": Stranger()}))
    with pytest.raises(UnsafeModelFile, match="is refused"):
        read_headers(tmp_path / "m.pt")


@pytest.mark.parametrize("content", [b"", b"not a pickle at all, just text", b"\x00" * 4000, b"PK\x03\x04 cut"])
def test_a_damaged_checkpoint_is_no_danger_but_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.ckpt").write_bytes(content)
    with pytest.raises(ModelError, match="damaged") as caught:
        read_headers(tmp_path / "m.ckpt")
    assert not isinstance(caught.value, UnsafeModelFile)


def test_a_checkpoint_cut_short_is_damaged(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1000)}, tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "m.pt").read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"m\.pt"):
        read_headers(tmp_path / "m.pt")


def test_safetensors_under_another_ending_are_read(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, tmp_path / "m.bin")
    assert set(read_headers(tmp_path / "m.bin").tensors) == {"a", "b"}
