"""Tensors and arrays in one safetensors file. torch is imported only when there are tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphflow.cache.classes import DecodeError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, str]:
    """Write a safetensors file and give the kind of each entry by name, `tensor` or `array`. Raises OSError."""
    from safetensors import SafetensorError

    kinds = dict.fromkeys(tensors, "tensor") | dict.fromkeys(arrays, "array")
    try:
        if tensors:
            import torch
            from safetensors.torch import save_file as save_tensors

            converted = {name: torch.from_numpy(_contiguous(array).copy()) for name, array in arrays.items()}
            save_tensors({**_separate(tensors), **converted}, path)
        else:
            from safetensors.numpy import save_file as save_arrays

            save_arrays({name: _contiguous(array) for name, array in arrays.items()}, path)
    except SafetensorError as error:  # the library's own class for a full disk and other failures to write
        raise OSError(f"{path.name} cannot be written: {error}") from error
    return kinds


def read_tensors(data: bytes, kinds: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, np.ndarray[Any, Any]]]:
    """Tensors and arrays of a safetensors file's bytes, each in memory of its own. Raises DecodeError."""
    from safetensors import SafetensorError

    try:
        if "tensor" in kinds.values():
            from safetensors.torch import load as load_tensors

            loaded: dict[str, Any] = load_tensors(data)
        else:
            from safetensors.numpy import load as load_arrays

            loaded = load_arrays(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DecodeError(f"the tensor file cannot be read ({error})") from error
    if loaded.keys() != kinds.keys():
        raise DecodeError("the tensor file holds other entries than the record names")
    tensors = {name: value for name, value in loaded.items() if kinds[name] == "tensor"}
    arrays = {name: _as_array(value) for name, value in loaded.items() if kinds[name] == "array"}
    return tensors, arrays


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two of them in one storage: safetensors refuses shared memory."""
    storages: set[int] = set()
    separate: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        ready = tensor.detach().resolve_conj().resolve_neg().to("cpu").contiguous()
        storage = ready.untyped_storage()
        if storage.data_ptr() in storages or storage.nbytes() != ready.nbytes:
            ready = ready.clone()
        storages.add(ready.untyped_storage().data_ptr())
        separate[name] = ready
    return separate


def _contiguous(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    # ascontiguousarray would turn zero dimensions into one.
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _as_array(value: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    array: np.ndarray[Any, Any] = value if isinstance(value, np.ndarray) else value.numpy()
    return array if array.flags.writeable else array.copy()
