"""What tensors a weights file holds, read from its header: names, shapes, types, places; no weights."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphflow.errors import ModelError, UnsafeModelFile

MAX_HEADER_BYTES = 100_000_000
"""Longest safetensors header that is read; the format's own limit."""

BYTES_PER_ELEMENT = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2,
    "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Size of an element by safetensors' name of the type."""

SAFETENSORS_SUFFIX = ".safetensors"
INDEX_SUFFIX = ".index.json"
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin")
WEIGHT_SUFFIXES = (SAFETENSORS_SUFFIX, SAFETENSORS_SUFFIX + INDEX_SUFFIX, *PICKLE_SUFFIXES)
"""Endings of files that hold weights, in the order in which they are preferred."""

_INDEX = re.compile(r"\.index(\.\w+)?\.json$")

SHARD = re.compile(r"-\d{5}-of-\d{5}\.")
"""In the name of a file that holds a share of a model's weights."""


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """One tensor of a file."""

    file: Path
    name: str
    """Its key in that file."""
    shape: tuple[int, ...]
    """As the network has it in memory."""
    dtype: str
    """Safetensors' name of the type, such as `F16`."""
    rows: tuple[int, int] | None = None
    """Where the layout fuses several tensors into one: the first of its rows, and the one after the last."""
    transposed: bool = False
    """Whether the file holds it the other way round; `shape` is as in memory."""

    @property
    def elements(self) -> int:
        """Number of elements."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def is_float(self) -> bool:
        """Whether it holds floating point numbers."""
        return self.dtype.startswith(("F", "BF"))


@dataclass(frozen=True)
class WeightHeaders:
    """All tensors of a model file, by key, and the texts its writer put beside them."""

    tensors: Mapping[str, TensorHeader]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_headers(path: Path) -> WeightHeaders:
    """Headers of a `.safetensors` file, the index of a sharded one (`.safetensors.index.json`), or a torch pickle file.

    Raises ModelError for a damaged file, UnsafeModelFile for one that needs pickle.
    """
    if is_index(path):
        return _read_index(path)
    if holds_pickle(path):
        return _read_pickle(path)
    return read_safetensors_header(path)


def is_index(path: Path) -> bool:
    """Whether a file names the shards of a model: `*.index.json`, or `*.index.fp16.json` of a variant."""
    return _INDEX.search(path.name) is not None


def read_safetensors_header(path: Path) -> WeightHeaders:
    """Header of one safetensors file: 8 bytes of length, JSON, then the data. Raises ModelError if it is damaged."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            if len(prefix) < 8:
                raise _damaged(path, f"it has {size} bytes, too few for a safetensors file")
            (length,) = struct.unpack("<Q", prefix)
            if length > MAX_HEADER_BYTES:
                raise _damaged(
                    path, f"it does not start as a safetensors file, with a header of at most {MAX_HEADER_BYTES} bytes"
                )
            if 8 + length > size:
                raise _damaged(path, f"it ends after {size} bytes, before the end of its header of {length} bytes")
            header = json.loads(file.read(length))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    tensors = {name: _tensor_header(path, name, entry, data_bytes=size - 8 - length) for name, entry in header.items()}
    texts = {str(k): str(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {}
    return WeightHeaders(tensors, texts)


def _tensor_header(path: Path, name: str, entry: Any, data_bytes: int) -> TensorHeader:
    try:
        dtype, shape = str(entry["dtype"]), tuple(int(side) for side in entry["shape"])
        start, end = (int(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f'its header describes the tensor "{name}" in a way that safetensors does not') from error
    tensor = TensorHeader(path, name, shape, dtype)
    if min(shape, default=0) < 0 or not 0 <= start <= end:
        raise _damaged(path, f'the tensor "{name}" has negative sizes in its header')
    if end > data_bytes:
        raise _damaged(
            path, f'it is cut short: the tensor "{name}" ends at byte {end} of the data, which has {data_bytes}'
        )
    if dtype in BYTES_PER_ELEMENT and tensor.elements * BYTES_PER_ELEMENT[dtype] != end - start:
        raise _damaged(
            path, f'the tensor "{name}" of shape {list(shape)} and type {dtype} does not fill its {end - start} bytes'
        )
    return tensor


def _read_index(path: Path) -> WeightHeaders:
    tensors: dict[str, TensorHeader] = {}
    metadata: dict[str, str] = {}
    for shard in shard_files(path):
        headers = read_headers(shard)
        tensors.update(headers.tensors)
        metadata.update(headers.metadata)
    return WeightHeaders(tensors, metadata)


def shard_files(index: Path) -> tuple[Path, ...]:
    """Files that a `*.index.json` names, each once. Raises ModelError for a missing shard or a name that leaves the folder."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise _damaged(index, 'it has no "weight_map" object')
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name:
            raise ModelError(f'{index} names the shard "{name}"; shards must lie beside the index')
        if not (index.parent / name).is_file():
            raise ModelError(f'{index} names the shard "{name}", which is missing; fetch the model again')
    return tuple(index.parent / name for name in names)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ModelError if it cannot be read or is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def holds_pickle(path: Path) -> bool:
    """Whether a file with a pickle's ending is one; some hold safetensors, which start with a length and `{`."""
    if path.suffix not in PICKLE_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    return not (len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= MAX_HEADER_BYTES)


def _read_pickle(path: Path) -> WeightHeaders:
    from graphflow.models.weights import SAFETENSORS_NAMES, read_torch_file

    return WeightHeaders(
        {
            name: TensorHeader(path, name, tuple(tensor.shape), SAFETENSORS_NAMES.get(tensor.dtype, str(tensor.dtype)))
            for name, tensor in read_torch_file(path).items()
        }
    )


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} is damaged: {reason}; fetch or write it again")


def needs_pickle(path: Path, reason: str) -> UnsafeModelFile:
    """The refusal of a file whose reading could run code."""
    return UnsafeModelFile(
        f"{path} is refused: {reason}. Reading it would unpickle arbitrary objects, which can run any code on this machine; "
        "graphflow reads .ckpt, .pt, .pth and .bin files only when they hold nothing but tensors. "
        "Get the model as .safetensors, or convert it with a tool you trust where running its code can do no harm."
    )
