"""Weights from files, tensor by tensor, without a second copy in memory."""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from graphflow.errors import ModelError
from graphflow.models.headers import TensorHeader, holds_pickle, needs_pickle
from graphflow.models.pages import drop_pages

SAFETENSORS_NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""Safetensors' names of torch's types."""


class WeightReader:
    """Reads tensors of one or more files while it is open; safetensors are mapped into memory, not copied.

    A tensor that was read stays valid after the reader is closed.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._files: dict[Path, Any] = {}  # safetensors' handles have no types
        self._pickled: dict[Path, Mapping[str, Tensor]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.clear()
        self._pickled.clear()
        self._stack.close()

    def read(self, header: TensorHeader) -> Tensor:
        """The tensor as it is in the file, on the host. Raises ModelError if the file has changed since its header was read.

        Of a fused tensor these are its rows, still mapped; one that the file holds the other way round is turned.
        """
        tensor = self._tensor(header)
        if header.rows is not None:
            tensor = tensor[slice(*header.rows)]
        if header.transposed:
            tensor = tensor.T.contiguous()
        if tuple(tensor.shape) != header.shape:
            raise ModelError(
                f'{header.file} has changed while it was loaded: "{header.name}" has another shape; run again'
            )
        return tensor

    def release(self, header: TensorHeader) -> None:
        """Let the mapped pages of a tensor go that has been copied, so that it does not stand in memory twice."""
        if header.file in self._files:
            drop_pages(self._tensor(header))

    def _tensor(self, header: TensorHeader) -> Tensor:
        path = header.file
        try:
            if path in self._pickled:
                return self._pickled[path][header.name]
            if path not in self._files:
                if holds_pickle(path):
                    self._pickled[path] = read_torch_file(path)
                    return self._pickled[path][header.name]
                self._files[path] = self._stack.enter_context(safe_open(path, framework="pt", device="cpu"))
            tensor: Tensor = self._files[path].get_tensor(header.name)
        except (SafetensorError, KeyError, OSError) as error:
            raise ModelError(f'the tensor "{header.name}" of {path} cannot be read: {error}') from error
        return tensor


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """Tensors of a `torch.save` file, mapped into memory, by key; a `state_dict` (or `params_ema`, `params`) inside it is opened.

    Raises UnsafeModelFile if the file holds other objects than tensors and plain values, ModelError if it is damaged.
    """
    return _tensors(path, read_torch_content(path))


def read_torch_content(path: Path) -> Any:  # tensors and plain values in whatever containers the writer chose
    """What a `torch.save` file holds, its tensors mapped into memory.

    Raises UnsafeModelFile if that is other objects than tensors and plain values, ModelError if the file is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", mmap=zipfile.is_zipfile(path), weights_only=True)
    except (
        pickle.UnpicklingError,
        EOFError,
        RuntimeError,
        ValueError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
    ) as error:
        if _is_pickle(path):
            raise needs_pickle(path, _refused_objects(path)) from error
        raise ModelError(
            f"{path} is damaged, or no file that torch wrote ({_first_line(error)}); fetch it again"
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


_WRAPPERS = ("state_dict", "params_ema", "params")
"""Where trainers put a network's tensors, the averaged ones first."""


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    while isinstance(content, Mapping) and (inner := next((key for key in _WRAPPERS if key in content), None)):
        if not isinstance(content[inner], Mapping):
            break
        content = content[inner]
    if not isinstance(content, Mapping):
        raise ModelError(
            f"{path} holds a {type(content).__name__}; accepted is a dict of tensors, or one under `state_dict`"
        )
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _is_pickle(path: Path) -> bool:
    """Whether the file is a well-formed pickle, alone or in a zip archive; reads it without running it."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
                return name is not None and _parses(archive.read(name))
        with path.open("rb") as file:
            return _parses(file.read(_PICKLE_PROBE_BYTES))
    except (OSError, zipfile.BadZipFile):
        return False


_PICKLE_PROBE_BYTES = 50_000_000


def _parses(data: bytes) -> bool:
    try:
        for _ in pickletools.genops(data):
            pass
    except (ValueError, IndexError, UnicodeDecodeError):
        return False
    return True


def _refused_objects(path: Path) -> str:
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError):
        names = []
    return (
        f"it holds objects of {', '.join(sorted(names)[:5])}"
        if names
        else "it holds more than tensors and plain values"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
