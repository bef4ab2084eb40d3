"""Values to JSON and named tensors, and back. Never pickle.

JSON scalars stand for themselves and a JSON list for a list; everything else is an object with one key, its tag:

    {"tuple": [...]}   {"dict": {...}}   {"int": "0x..."}   {"float": "<eight bytes, hexadecimal>"}   {"bytes": "<base64>"}
    {"path": "..."}    {"enum": ["module:QualName", "MEMBER"]}   {"object": ["module:QualName", {field: ...}]}
    {"tensor": "<name>"}   {"array": "<name>"}   {"scalar": "<name>"}   {"blob": "<name>"}

Names are the paths of what they name, such as `image.pixels`, and are entries of a safetensors file. Blobs are long bytes.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphflow.cache.classes import DecodeError, FindModule, class_name, find_class, loaded_module
from graphflow.cache.kinds import CannotEncode, field_names, kind_of, rebuild
from graphflow.ports.file import File

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

MAX_DEPTH = 100
"""Containers within containers; deeper values are refused rather than exhaust the stack of a reader."""
MAX_INT_BITS = 63
"""Longer integers are written in hexadecimal: other readers of JSON would round them."""
BLOB_BYTES = 4096
"""Bytes of at least this length go beside the tensors, shorter ones into the JSON."""

TENSOR_DTYPES = frozenset(
    {"float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"}
    | {"int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool", "complex64"}
)
"""Names of the element types that tensors may have, as torch and numpy spell them."""
ARRAY_DTYPES = TENSOR_DTYPES - {"bfloat16"}


@dataclass(frozen=True, eq=False)
class Encoded:
    """A value as it is stored."""

    structure: Any
    """Holds only what JSON does."""
    tensors: Mapping[str, Tensor]
    """By path; shared with the value, on its device."""
    arrays: Mapping[str, np.ndarray[Any, Any]]
    """By path; shared with the value. Blobs are here too, as uint8."""
    artifacts: tuple[str, ...]
    """Names of the files in the artifact folder that the value speaks of."""

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors and arrays."""
        return sum(item.nbytes for item in self.tensors.values()) + sum(item.nbytes for item in self.arrays.values())


def encode(value: Any) -> Encoded:
    """Take a value apart. Copies no tensors. Raises CannotEncode, naming path and type, for kinds that have no place."""
    encoder = _Encoder()
    structure = encoder.encode(value, (), 0)
    return Encoded(structure, encoder.tensors, encoder.arrays, tuple(dict.fromkeys(encoder.artifacts)))


def decode(
    structure: Any,
    tensors: Mapping[str, Tensor],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    *,
    find_module: FindModule = loaded_module,
) -> Any:
    """Put a value together again; it takes ownership of the tensors and arrays.

    Raises DecodeError when the structure is damaged or its classes have changed, ModuleNotLoaded when `find_module`
    does not have the module of a class.
    """
    try:
        return _Decoder(tensors, arrays, find_module).decode(structure)
    except (KeyError, ValueError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise DecodeError(f"the stored structure is damaged ({type(error).__name__}: {error})") from error


class _Encoder:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.artifacts: list[str] = []

    def encode(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CannotEncode(".".join(path[:8]) + "...", value, f"it is nested more than {MAX_DEPTH} deep")
        match kind_of(type(value)):
            case "plain":
                return _encode_plain(value)
            case "list":
                return [self.encode(item, (*path, str(index)), depth + 1) for index, item in enumerate(value)]
            case "tuple":
                return {"tuple": [self.encode(item, (*path, str(i)), depth + 1) for i, item in enumerate(value)]}
            case "dict":
                if not all(type(key) is str for key in value):
                    raise CannotEncode(".".join(path), value, "its keys must be text")
                return {"dict": {key: self.encode(item, (*path, key), depth + 1) for key, item in value.items()}}
            case "dataclass":
                return self._encode_dataclass(value, path, depth)
            case "tensor":
                return self._encode_tensor(value, path)
            case "array" | "scalar" as kind:
                return self._encode_array(value, path, kind)
            case "bytes":
                return self._encode_bytes(value, path)
            case "enum":
                return _encode_enum(value, path)
            case "path":
                return {"path": str(value)}
            case _:
                raise CannotEncode(".".join(path), value)

    def _encode_dataclass(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        name = class_name(type(value))
        if name is None:
            raise CannotEncode(".".join(path), value, "its class must be at the top level of an imported module")
        if isinstance(value, File):
            self.artifacts.append(value.name)
        fields = {field: getattr(value, field) for field in field_names(type(value))}
        return {"object": [name, {key: self.encode(item, (*path, key), depth + 1) for key, item in fields.items()}]}

    def _encode_tensor(self, value: Tensor, path: tuple[str, ...]) -> Any:
        dtype = str(value.dtype).removeprefix("torch.")
        if dtype not in TENSOR_DTYPES:
            raise CannotEncode(".".join(path), value, f"safetensors files hold no {dtype}")
        if type(value).__module__.partition(".")[0] != "torch" or str(value.layout) != "torch.strided":
            raise CannotEncode(".".join(path), value, "only ordinary dense tensors can be stored")
        if value.device.type == "meta":
            raise CannotEncode(".".join(path), value, "it has no data (meta device)")
        name = self._name(path)
        self.tensors[name] = value
        return {"tensor": name}

    def _encode_array(self, value: Any, path: tuple[str, ...], kind: str) -> Any:
        if value.dtype.name not in ARRAY_DTYPES or not value.dtype.isnative:
            raise CannotEncode(".".join(path), value, f"safetensors files hold no {value.dtype.str}")
        import numpy as np

        name = self._name(path)
        self.arrays[name] = np.asarray(value)
        return {kind: name}

    def _encode_bytes(self, value: bytes, path: tuple[str, ...]) -> Any:
        if len(value) < BLOB_BYTES:
            return {"bytes": base64.b64encode(value).decode("ascii")}
        import numpy as np

        name = self._name(path)
        self.arrays[name] = np.frombuffer(value, dtype=np.uint8)
        return {"blob": name}

    def _name(self, path: tuple[str, ...]) -> str:
        # A key may hold a dot or a lone surrogate, and two paths may then read the same: number the later one.
        wanted = ".".join(path).encode("ascii", "backslashreplace").decode("ascii") or "value"
        if wanted == "__metadata__":
            wanted = "__metadata__#1"
        name, number = wanted, 1
        while name in self.tensors or name in self.arrays:
            number += 1
            name = f"{wanted}#{number}"
        return name


def _encode_plain(value: Any) -> Any:
    if type(value) is int and value.bit_length() > MAX_INT_BITS:
        return {"int": hex(value)}
    if type(value) is float and not math.isfinite(value):
        return {"float": struct.pack(">d", value).hex()}
    return value


def _encode_enum(value: Enum, path: tuple[str, ...]) -> Any:
    name = class_name(type(value))
    if name is None or type(value).__members__.get(value.name) is not value:
        raise CannotEncode(".".join(path), value, "it must be a named member of an enum of an imported module")
    return {"enum": [name, value.name]}


class _Decoder:
    def __init__(
        self, tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray[Any, Any]], find_module: FindModule
    ) -> None:
        self.tensors = tensors
        self.arrays = arrays
        self.find_module = find_module

    def decode(self, stored: Any) -> Any:
        if isinstance(stored, list):
            return [self.decode(item) for item in stored]
        if not isinstance(stored, dict):
            return stored
        if len(stored) != 1:
            raise DecodeError("the stored structure is damaged (an object without a single tag)")
        [(tag, content)] = stored.items()
        match tag:
            case "tuple":
                return tuple(self.decode(item) for item in content)
            case "dict":
                return {key: self.decode(item) for key, item in content.items()}
            case "object":
                return self._decode_dataclass(*content)
            case "tensor":
                return self.tensors[content]
            case "array":
                return self.arrays[content]
            case "scalar":
                return self.arrays[content][()]
            case "blob":
                return self.arrays[content].tobytes()
            case "int":
                return int(content, 16)
            case "float":
                return struct.unpack(">d", bytes.fromhex(content))[0]
            case "bytes":
                return _decode_bytes(content)
            case "path":
                return Path(content)
            case "enum":
                return self._decode_enum(*content)
            case _:
                raise DecodeError(f'the stored structure has an unknown tag "{tag}"')

    def _decode_dataclass(self, name: str, fields: dict[str, Any]) -> Any:
        cls = find_class(name, self.find_module)
        if kind_of(cls) != "dataclass":
            raise DecodeError(f'"{name}" is not a dataclass')
        if set(field_names(cls)) != set(fields):
            raise DecodeError(f'the fields of "{name}" have changed since it was stored')
        return rebuild(cls, {key: self.decode(item) for key, item in fields.items()})

    def _decode_enum(self, name: str, member: str) -> Enum:
        cls = find_class(name, self.find_module)
        if not issubclass(cls, Enum):
            raise DecodeError(f'"{name}" is not an enum')
        return cls[member]


def _decode_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise DecodeError(f"the stored structure is damaged ({error})") from error
